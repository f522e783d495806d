/** What has come in meanwhile is read first: on a busy host words lie in the socket when the time is over. */
export const afterReading = (work: () => void): void => {
  setImmediate(() => setImmediate(work))
}
