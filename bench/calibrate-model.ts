/**
 * `node bench/calibrate-model.ts`: the model's half of the kept result of `calibrate` anew, after a change of the model. What
 * was measured of real processes stays as it is, with its date and its commit; nothing is run but the model.
 */
import { revision } from '../scripts/revision.ts'
import { type Calibration, modelAnew } from './calibrate.ts'
import { kept, replace } from './results.ts'

/** Before anything is written. */
const commit = revision()
const was = kept('calibrate')
const failed = was.rows.filter(({ figure }) => figure.startsWith('failed:'))
const { about, ...measured } = await modelAnew(was.figures as Calibration, failed)
replace(was, {
  ...measured,
  about: [
    ...about,
    `the model’s half was made anew at commit ${commit}, by node bench/calibrate-model.ts, from what was measured of real processes at commit ${was.commit}`,
  ],
})
