/** The lock of a folder, for commands that are no node. */
export { lockFolder } from '../store/lock.ts'
