/** Threads of this process for files, LevelDB and names; Node's four unless said otherwise. What hangs in one keeps it. */
export const poolThreads = (): number => Number(process.env.UV_THREADPOOL_SIZE) || 4
