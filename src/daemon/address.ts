/** Addresses as people write them, for whatever reads a configuration or a command line. */
export { parseAddress } from '../net/address.ts'
