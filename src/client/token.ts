/** Whether every HTTP client sends it as it is: one line of printable ASCII. */
export const isSendable = (token: string): boolean => /^[\x20-\x7e]*$/.test(token)
