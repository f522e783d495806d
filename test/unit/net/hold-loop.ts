/**
 * This process stands still for so long, as under SIGSTOP: timers run directly after that, and only then is read what lies
 * in sockets.
 * @param before what others do while it stands still
 */
export const holdLoop = (ms: number, before: () => void = () => {}): Promise<void> =>
  new Promise((resolve) =>
    setImmediate(() => {
      before()
      const endMs = performance.now() + ms
      while (performance.now() < endMs);
      resolve()
    }),
  )
