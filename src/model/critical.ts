/** Features of a release that this build knows; any other name in `critical` keeps what is active. */
export const KNOWN_CRITICAL: ReadonlySet<string> = new Set()
