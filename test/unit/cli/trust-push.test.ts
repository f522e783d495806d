import { expect, test, vi } from 'vitest'
import { pushToAll } from '../../../src/cli/trust-push.ts'
import { ROOT, rootBytes } from '../core/fleet.ts'
import { FakeSeed } from '../publish/fake-seed.ts'

test('A seed that refuses a root is named beside those that took it', async () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const [taking, refusing] = [new FakeSeed('a'), new FakeSeed('b')]
  refusing.next.set('root', [{ type: 'refused', code: 'LIMIT_RATE', text: 'too many' }])
  const roots = [{ version: 1, envelope: rootBytes(ROOT) }]
  expect(await pushToAll(roots, [taking, refusing])).toEqual({
    seeds: [{ peer: taking.peer, version: 1, adopted: 1 }],
    refused: [{ peer: refusing.peer, code: 'LIMIT_RATE' }],
  })
  expect(said).toHaveBeenCalledWith(expect.stringContaining('LIMIT_RATE'))
  said.mockRestore()
})
