// What a client's call tells of itself: to who measures, and in its error.
import type { Status } from '../../base/status.ts'
import type { HeaderBlock } from '../../transport/index.ts'
import { RpcObserver } from '../observe/rpc-observer.ts'
import { Metadata } from '../protocol/metadata.ts'
import type { MethodDefinition } from '../protocol/method.ts'
import type { EndingStatus } from '../protocol/response-headers.ts'
import { RpcError, type RpcErrorOptions } from '../protocol/rpc-error.ts'
import { withDetails } from '../protocol/status-details.ts'
import type { CallChannel } from './call-channel.ts'
import { deadlineStatus } from './call-limits.ts'

/** Tells that an attempt begins; the observer is for what follows. Undefined: nobody measures. */
export function observeAttempt(
  channel: CallChannel,
  method: MethodDefinition,
  attempt: number,
  isTransparentRetry: boolean,
): RpcObserver | undefined {
  const { stats, clock } = channel
  if (stats === undefined) return undefined
  const reportFault = (where: string, error: unknown): void => channel.reportFault(where, error)
  const observer = new RpcObserver({ stats, side: 'client', method, clock, reportFault })
  observer.tell({ kind: 'begin', attempt, isTransparentRetry })
  return observer
}

/** The error of a call by how it ended. */
export function callError(
  status: EndingStatus,
  trailers: HeaderBlock | undefined,
  options: RpcErrorOptions,
): RpcError {
  const { code, message, details } = withDetails(status, status.detailsBin)
  return new RpcError(code, message, {
    details,
    cause: status.cause,
    ...options,
    ...(trailers === undefined ? {} : { metadata: Metadata.fromFields(trailers.fields) }),
  })
}

/** Gives a caller's listener what came. What it throws changes nothing. */
export function tellListener(
  channel: CallChannel,
  listener: ((metadata: Metadata) => void) | undefined,
  fields: readonly string[],
): void {
  if (listener === undefined) return
  try {
    listener(Metadata.fromFields(fields))
  } catch (error) {
    channel.reportFault('metadata listener', error)
  }
}

/** The status of a call at its deadline, with what it waited for and what had failed before. */
export function missedDeadline(
  afterMs: number,
  waitsFor: string | undefined,
  failure: Status | undefined,
): Status {
  const waited = waitsFor === undefined ? '' : `, still waiting for ${waitsFor}`
  const latest = failure === undefined ? '' : `; latest failure: ${failure.message}`
  return deadlineStatus(afterMs, waited + latest, failure?.cause)
}
