/** A receiver of the bare fan-out: tells its parent when the last byte of each message was there. */
import { connect } from 'node:net'

const [port, bytes] = process.argv.slice(2).map(Number)
let have = 0
connect(port ?? 0, '127.0.0.1')
  .setNoDelay(true)
  .on('data', (part: Buffer) => {
    have += part.length
    if (have < (bytes ?? 0)) return
    have -= bytes ?? 0
    process.send?.(performance.timeOrigin + performance.now())
  })
process.on('disconnect', () => process.exit(0))
