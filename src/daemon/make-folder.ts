/** For the commands that make folders of their own. */
export { makeFolder } from '../runtime/make-folder.ts'
