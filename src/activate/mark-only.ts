import type { ActivatorPort } from '../runtime/ports.ts'

/** A node that writes no files: a release is active as soon as it is whole. */
export function createMarkOnly(): ActivatorPort {
  return {
    activate: async () => ({ kind: 'healthy', changed: 0 }),
    restore: async () => ({ kind: 'healthy', changed: 0 }),
    // Nothing waits: what is asked for is done.
    withdraw: () => {},
    shown: async () => undefined,
    stop: async () => {},
  }
}
