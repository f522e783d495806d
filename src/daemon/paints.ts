/** Colours and redrawing on a terminal: not where that cannot, nor where whoever sits there wants none (no-color.org). */
export const paints = ({ NO_COLOR, TERM }: NodeJS.ProcessEnv): boolean =>
  (NO_COLOR ?? '') === '' && TERM !== 'dumb'
