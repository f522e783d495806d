/** The node's own key, for whatever composes or describes a node. */
export { IDENTITY_FILE, loadOrCreateIdentity } from '../net/identity.ts'
