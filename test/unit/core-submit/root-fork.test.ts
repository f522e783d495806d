/** Two valid roots of one version are known: the seed goes on with the one it has, and takes what that lets publish. */
import { expect, test } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import type { Name } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { changePublisherKeys, renew } from '../../../src/trust/edit.ts'
import { make, ROOT, rootBytes, type Wish } from '../core/fleet.ts'
import { replies, SubmitNode } from './submit-node.ts'

const two = renew(ROOT, ROOT.expires + 1_000)
const other = renew(ROOT, ROOT.expires + 2_000)
const give = (node: SubmitNode, root: TrustRoot) =>
  replies(node.settled(node.ask({ type: 'root', root: rootBytes(root) })))
const submit = (node: SubmitNode, by: Partial<Wish> = {}) => {
  const { envelope } = make({ clock: { alice: 1 }, header: { root: 2 }, ...by })
  return node.settled(node.ask({ type: 'submit', envelope }))
}

function forked() {
  const node = new SubmitNode()
  give(node, two)
  expect(give(node, other)).toMatchObject([{ type: 'refused', code: 'TRUST_ROOT_FORK' }])
  expect(node.view().root).toMatchObject({ version: 2, forked: true })
  return node
}

test('a release that names the version in force is taken', () => {
  expect(replies(submit(forked()))).toMatchObject([{ type: 'need' }])
})

test('so is one that names a replaced version, whoever made another root of that', () => {
  const node = new SubmitNode()
  for (const root of [two, renew(two, ROOT.expires + 3_000)]) give(node, root)
  expect(give(node, other)).toMatchObject([{ code: 'TRUST_ROOT_OLD' }])
  expect(replies(submit(node))).toMatchObject([{ type: 'need' }])
})

test('one that the kept root of that version does not let publish is refused', () => {
  const node = forked()
  const { key } = generatePrivateKey('ed25519')
  give(node, changePublisherKeys(two, 'alice' as Name, { add: [key.public], remove: [] }))
  expect(node.view().root.version).toBe(3)
  expect(replies(submit(node, { signedBy: key }))).toMatchObject([
    { code: 'TRUST_UNAUTHORISED', text: 'not authorised under root 2, which it names' },
  ])
  expect(replies(submit(node, { signedBy: key, header: { root: 3 } }))).toMatchObject([{ type: 'need' }])
})
