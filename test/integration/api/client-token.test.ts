import { expect, onTestFinished, test } from 'vitest'
import { Client } from '../../../src/client/index.ts'
import { CHANNEL, FakeNode, serve } from './fake-node.ts'

test.each(['two\nlines', 'žluťoučký', 'äöü'])('a token that cannot be sent is said so: %j', async (token) => {
  const { api } = await serve(new FakeNode(), { token: 'secret' })
  onTestFinished(() => api.stop())
  const client = new Client({ api: api.url, token })
  const refusal = { code: 'USAGE', message: expect.not.stringContaining(token) }
  for (const ask of [() => client.status(), () => client.ready(), () => client.events(CHANNEL).next()])
    await expect(ask()).rejects.toMatchObject(refusal)
})
