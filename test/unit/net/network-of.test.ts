import { expect, test } from 'vitest'
import { networkOf } from '../../../src/model/network.ts'

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::'],
  ['2001:DB8:0001:2::9', '2001:db8:1:2::'],
  ['2001:db8::7', '2001:db8:0:0::'],
  ['::1', '0:0:0:0::'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['::FFFF:a00:0001', '10.0.0.1'],
  ['localhost', 'localhost'],
])('%s counts as %s', (host, network) => {
  expect(networkOf(host)).toBe(network)
})

test('two hosts of different networks are two, whatever is left out of their addresses', () => {
  expect(networkOf('2001:db8:1::1')).not.toBe(networkOf('2001:db8:2::1'))
  expect(networkOf('2001:db8:1:0:1::')).toBe(networkOf('2001:db8:1::1'))
})
