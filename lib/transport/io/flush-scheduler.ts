// When connections flush: one list for the whole process, so that one turn of the event loop costs
// one tick however many connections have something to send. Knows nothing of what a flush does.
//
//   'soon'   receive -> handlers' continuations (microtasks) -> one tick: every flush
//   'later'  -> poll (sockets are read) -> one immediate: every flush

/** Something that can be flushed; the wire of a connection. */
export interface FlushTarget {
  /** The scheduler's own note of which lists hold this target. Start with 0 and leave it alone. */
  flushDue: number
  flush(): void
  /** `flush` threw, which only a bug can cause. Must not throw. */
  flushFailed(error: unknown): void
}

const IN_SOON = 1
const IN_LATER = 2
const WANTS_LATER = 4

let soon: FlushTarget[] = []
let later: FlushTarget[] = []
let spare: FlushTarget[] = []

/**
 * Asks for one `target.flush()`; does nothing while one at least as urgent is due.
 *
 * 'soon' runs when all continuations of the present turn have run, those of promises included:
 * hence a tick that is armed from a microtask. 'later' runs after sockets had their chance to be
 * read. A 'soon' takes the place of a 'later' that is still due.
 */
export function requestFlush(target: FlushTarget, urgency: 'soon' | 'later'): void {
  if (urgency === 'soon') {
    if ((target.flushDue & IN_SOON) !== 0) return
    target.flushDue |= IN_SOON
    if (soon.push(target) === 1) queueMicrotask(armTick)
    return
  }
  if ((target.flushDue & (IN_SOON | WANTS_LATER)) !== 0) return
  const isListed = (target.flushDue & IN_LATER) !== 0
  target.flushDue |= IN_LATER | WANTS_LATER
  if (!isListed && later.push(target) === 1) setImmediate(flushLater)
}

function armTick(): void {
  process.nextTick(flushSoon)
}

function flushSoon(): void {
  const due = soon
  soon = spare
  for (let at = 0; at < due.length; at++) {
    const target = due[at]!
    target.flushDue &= ~(IN_SOON | WANTS_LATER)
    flushOne(target)
  }
  due.length = 0
  spare = due
}

function flushLater(): void {
  const due = later
  later = []
  for (let at = 0; at < due.length; at++) {
    const target = due[at]!
    const isWanted = (target.flushDue & WANTS_LATER) !== 0
    target.flushDue &= ~(IN_LATER | WANTS_LATER)
    if (isWanted) flushOne(target)
  }
}

/** One target's fault must not cost the others their flush. */
function flushOne(target: FlushTarget): void {
  try {
    target.flush()
  } catch (error) {
    target.flushFailed(error)
  }
}
