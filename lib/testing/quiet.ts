// Proof that nothing was left behind: a connection that nobody uses holds no stream and no octet,
// and one that is over no timer and no listener.
import type { ClientTransport, ServerTransport } from '../transport/index.ts'
import type { FakeClock } from './fake-clock.ts'
import type { MemoryWire } from './memory-wire.ts'

/**
 * Throws an Error that lists what `transport` holds though it should be at rest: streams, octets
 * received or to be sent, credit of the connection's window that was not given back.
 */
export function assertQuiet(transport: ClientTransport | ServerTransport): void {
  const { load } = transport
  const left: string[] = []
  if (load.streams !== 0) left.push(`${load.streams} streams`)
  if (transport.openStreams !== 0) left.push(`${transport.openStreams} streams in the table`)
  if (load.heldBytes !== 0) left.push(`${load.heldBytes} received octets`)
  if (load.queuedBytes !== 0) left.push(`${load.queuedBytes} queued octets`)
  if (load.unflushedBytes !== 0) left.push(`${load.unflushedBytes} octets not flushed`)
  const dueBytes = load.recvWindowLimitBytes - load.recvWindowBytes
  if (dueBytes * 4 > load.recvWindowLimitBytes) left.push(`${dueBytes} octets of credit kept back`)
  fail(left)
}

/**
 * As {@link assertQuiet} for a connection that is over: its wire also has no listener, and `clock`
 * no timer.
 */
export function assertGone(
  transport: ClientTransport | ServerTransport,
  wire: MemoryWire,
  clock: FakeClock,
): void {
  assertQuiet(transport)
  const left: string[] = []
  if (wire.state !== 'gone') left.push(`a wire that is ${wire.state}`)
  if (wire.listenerCount !== 0) left.push('a listener on the wire')
  if (clock.pending !== 0) left.push(`${clock.pending} timers`)
  fail(left)
}

function fail(left: readonly string[]): void {
  if (left.length > 0) throw new Error(`not_quiet: left are ${left.join(', ')}`)
}
