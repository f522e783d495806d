import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { endUnread } from '../../../src/api/unread.ts'
import { LIMITS } from '../../../src/limits.ts'

const TIMEOUT_MS = 1_000
const PER_SECOND = 1_000

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A reader that has always something to take. */
function reader() {
  const socket = {
    bytesWritten: 0,
    writableLength: 1,
    destroyed: false,
    destroy: vi.fn(() => {
      socket.destroyed = true
    }),
  }
  const request = { socket, method: 'GET', url: '/' } as unknown as IncomingMessage
  const response = Object.assign(new EventEmitter(), { setTimeout: vi.fn() })
  const answers = { isFull: false }
  const limits = { ...LIMITS, httpRequestTimeoutMs: TIMEOUT_MS, minHttpBytesPerSecond: PER_SECOND }
  const onProblem = vi.fn()
  const options = { limits, hosts: [], token: undefined, version: '1', onProblem }
  endUnread(request, response as unknown as ServerResponse, options, answers)
  const takes = (bytesPerSecond: number, ms: number): void => {
    for (let at = 0; at < ms; at += TIMEOUT_MS / 10) {
      socket.bytesWritten += bytesPerSecond / 10
      vi.advanceTimersByTime(TIMEOUT_MS / 10)
    }
  }
  const [[, tookNothing] = []] = response.setTimeout.mock.calls
  return { takes, answers, onProblem, tookNothing, isCut: () => socket.destroy.mock.calls.length > 0 }
}

test('who is too slow is cut off once there is no room, and not before', () => {
  const { takes, answers, isCut } = reader()
  takes(PER_SECOND / 2, 10 * TIMEOUT_MS)
  expect(isCut()).toBe(false)
  answers.isFull = true
  takes(PER_SECOND / 2, TIMEOUT_MS / 10)
  expect(isCut()).toBe(true)
})

test('who was too slow, and is quick by now, is not cut off for what was long ago', () => {
  const { takes, answers, isCut } = reader()
  takes(PER_SECOND / 10, 20 * TIMEOUT_MS)
  takes(4 * PER_SECOND, TIMEOUT_MS)
  answers.isFull = true
  takes(PER_SECOND, 10 * TIMEOUT_MS)
  expect(isCut()).toBe(false)
})

test('who takes nothing and is too slow, both found before its `close` comes, is told of once', () => {
  const { takes, answers, onProblem, tookNothing } = reader()
  answers.isFull = true
  tookNothing()
  takes(0, 3 * TIMEOUT_MS)
  expect(onProblem).toHaveBeenCalledTimes(1)
})
