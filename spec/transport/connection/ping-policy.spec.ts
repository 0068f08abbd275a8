import t from 'tap'
import {
  PingPolicy,
  type PingPolicyOptions,
} from '../../../lib/transport/connection/ping-policy.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

interface Case {
  readonly name: string
  readonly options?: PingPolicyOptions
  readonly streams: number
  /** When the pings come, minutes; `sent` is HEADERS or DATA going out. */
  readonly events: readonly (number | 'sent')[]
  /** How many pings are tolerated. */
  readonly tolerated: number
}

const cases: readonly Case[] = [
  {
    name: 'the first ping is free, the third strike ends it',
    streams: 1,
    events: [0, 0, 0, 0],
    tolerated: 3,
  },
  {
    name: 'pings five minutes apart are fine',
    streams: 1,
    events: [0, 5, 10, 15, 20, 25],
    tolerated: 6,
  },
  {
    name: 'pings under five minutes apart are not',
    streams: 1,
    events: [0, 4.99, 9.98, 14.97],
    tolerated: 3,
  },
  { name: 'time does not undo a strike', streams: 1, events: [0, 1, 2, 60, 61], tolerated: 4 },
  { name: 'what we send does', streams: 1, events: [0, 1, 2, 'sent', 3, 4, 5, 6], tolerated: 6 },
  {
    name: 'one frame sent excuses one ping',
    streams: 1,
    events: [0, 'sent', 'sent', 1, 2, 3, 4],
    tolerated: 4,
  },
  {
    name: 'a ping after each frame sent is always fine',
    streams: 1,
    events: Array.from({ length: 20 }, () => [0, 'sent' as const]).flat(),
    tolerated: 20,
  },
  {
    name: 'without streams two hours are the least',
    streams: 0,
    events: [0, 6, 12, 18],
    tolerated: 3,
  },
  {
    name: 'without streams pings two hours apart are fine',
    streams: 0,
    events: [0, 120, 240, 360, 480],
    tolerated: 5,
  },
  {
    name: 'unless it is permitted',
    options: { permitPingWithoutStream: true },
    streams: 0,
    events: [0, 5, 10, 15, 20],
    tolerated: 5,
  },
  {
    name: 'the interval is an option',
    options: { minPingIntervalMs: MINUTE },
    streams: 1,
    events: [0, 1, 2, 3, 4],
    tolerated: 5,
  },
  {
    name: 'an interval of nothing tolerates all',
    options: { minPingIntervalMs: 0 },
    streams: 1,
    events: [0, 0, 0, 0, 0, 0],
    tolerated: 6,
  },
]

for (const { name, options = {}, streams, events, tolerated } of cases) {
  t.test(name, (t) => {
    const policy = new PingPolicy(options)
    const verdicts: (string | undefined)[] = []
    for (const event of events) {
      if (event === 'sent') policy.framesSent()
      else verdicts.push(policy.received(1_000_000 + event * MINUTE, streams))
    }
    const firstBad = verdicts.indexOf('too_many_pings')
    t.equal(firstBad < 0 ? verdicts.length : firstBad, tolerated)
    t.end()
  })
}

t.test('the limit follows the streams that are open at each ping', (t) => {
  const policy = new PingPolicy({})
  t.equal(policy.received(0, 1), undefined)
  for (const streams of [0, 1, 0]) policy.received(0, streams)
  t.equal(policy.received(HOUR, 1), 'too_many_pings')
  t.end()
})
