// Floods and limits: one row for each thing that a peer can do for ever and that only costs. The
// flood ends the connection within the budget and with its token, memory stays flat, and the same
// thing in honest measure does nothing.
import t from 'tap'
import { ErrorCode, Setting } from '../../lib/frame/index.ts'
import { ClientBench, REQUEST, RESPONSE, ServerBench } from '../support/transport-bench.ts'

type Bench = ServerBench | ClientBench
type Act = (bench: Bench, i: number) => Buffer[]

const odd = (i: number): number => 2 * i + 1

interface Flood {
  readonly token: string
  readonly roles: readonly ('server' | 'client')[]
  /** Before the flood. */
  readonly arrange?: (bench: Bench) => void
  readonly act: Act
  /** Repetitions that must end it. */
  readonly most: number
}

const both = ['server', 'client'] as const

const openStream = (bench: Bench): void => {
  if (bench instanceof ClientBench) {
    bench.open()
    bench.peer.send(bench.peer.headers(1, RESPONSE))
  } else bench.peer.send(bench.peer.headers(1, REQUEST))
}

const floods: Record<string, Flood> = {
  'SETTINGS (CVE-2019-9515)': {
    token: 'too_many_settings',
    roles: both,
    act: ({ peer }) => [peer.settings()],
    most: 1010,
  },
  'PRIORITY (CVE-2019-9513)': {
    token: 'too_many_priorities',
    roles: both,
    act: ({ peer }, i) => [peer.priority(odd(i), 0)],
    most: 1010,
  },
  'PRIORITY depending on itself': {
    token: 'too_many_faults',
    roles: ['server'],
    act: ({ peer }, i) => [peer.headers(odd(i), REQUEST), peer.priority(odd(i), odd(i))],
    most: 1010,
  },
  'unknown frames': {
    token: 'too_many_unknown_frames',
    roles: both,
    act: ({ peer }) => [peer.frame(0xa, 0, 0, 'abcdef'), peer.frame(0xc, 0, 0)],
    most: 510,
  },
  'empty DATA (CVE-2019-9518)': {
    token: 'too_many_empty_data',
    roles: both,
    arrange: openStream,
    act: ({ peer }) => [peer.data(1, '')],
    most: 1010,
  },
  'PING without the leave to': {
    token: 'too_many_pings',
    roles: ['server'],
    act: ({ peer }) => [peer.ping()],
    most: 4,
  },
  'rapid reset (CVE-2023-44487)': {
    token: 'too_many_early_resets',
    roles: ['server'],
    act: ({ peer }, i) => [
      peer.headers(odd(i), REQUEST, { endStream: true }),
      peer.rstStream(odd(i), 8),
    ],
    most: 1010,
  },
  'MadeYouReset by WINDOW_UPDATE of 0 (CVE-2025-8671)': {
    token: 'too_many_faults',
    roles: ['server'],
    act: ({ peer }, i) => [peer.headers(odd(i), REQUEST), peer.windowUpdate(odd(i), 0)],
    most: 1010,
  },
  'MadeYouReset by a window over 2^31-1': {
    token: 'too_many_faults',
    roles: ['server'],
    act: ({ peer }, i) => [peer.headers(odd(i), REQUEST), peer.windowUpdate(odd(i), 0x7fff_ffff)],
    most: 1010,
  },
  'MadeYouReset by DATA after END_STREAM': {
    token: 'too_many_faults',
    roles: ['server'],
    act: ({ peer }, i) => [
      peer.headers(odd(i), REQUEST, { endStream: true }),
      peer.data(odd(i), 'x'),
    ],
    most: 1010,
  },
  'MadeYouReset by HEADERS after END_STREAM': {
    token: 'too_many_faults',
    roles: ['server'],
    act: ({ peer }, i) => {
      return [peer.headers(odd(i), REQUEST, { endStream: true }), peer.headers(odd(i), REQUEST)]
    },
    most: 1010,
  },
  'MadeYouReset by PRIORITY of four octets': {
    token: 'too_many_faults',
    roles: ['server'],
    act: ({ peer }, i) => [
      peer.headers(odd(i), REQUEST),
      peer.frame(0x2, 0, odd(i), '00 00 00 00'),
    ],
    most: 1010,
  },
  'malformed requests (CVE-2019-9514)': {
    token: 'too_many_faults',
    roles: ['server'],
    act: ({ peer }, i) => [peer.headers(odd(i), ['X', 'y'])],
    most: 1010,
  },
  'header lists over the limit': {
    token: 'too_many_faults',
    roles: ['server'],
    act: ({ peer }, i) => [
      peer.headers(odd(i), [...REQUEST, ...Array.from({ length: 100 }, () => ['c', '']).flat()]),
    ],
    most: 1010,
  },
  'streams over the limit': {
    token: 'too_many_refused_streams',
    roles: ['server'],
    act: ({ peer }, i) => [peer.headers(odd(i), REQUEST)],
    most: 1110,
  },
  'frames on a stream that is closed': {
    token: 'too_many_faults',
    roles: ['server'],
    arrange: ({ peer }) => peer.send(peer.headers(1, REQUEST), peer.rstStream(1, 8)),
    act: ({ peer }) => [peer.data(1, '')],
    most: 1010,
  },
  'WINDOW_UPDATE for nothing': {
    token: 'too_many_window_updates',
    roles: both,
    act: ({ peer }) => [peer.windowUpdate(0, 1)],
    most: 1010,
  },
  'WINDOW_UPDATE of one octet for what waits (CVE-2019-9511)': {
    token: 'too_many_tiny_window_updates',
    roles: ['client'],
    arrange: (bench) => {
      bench.peer.send(bench.peer.settings([[Setting.INITIAL_WINDOW_SIZE, 0]]))
      const { stream } = (bench as ClientBench).open()
      stream.data(Buffer.alloc(100_000), 0, 100_000, true)
    },
    act: ({ peer }) => [peer.windowUpdate(1, 1)],
    most: 1010,
  },
  'a mix of all': {
    token: 'too_many_',
    roles: both,
    arrange: openStream,
    act: ({ peer }, i) =>
      [
        [peer.settings()],
        [peer.priority(odd(i), 0)],
        [peer.frame(0xa, 0, 0)],
        [peer.data(1, '')],
        [peer.windowUpdate(0, 1)],
      ][i % 5] as Buffer[],
    most: 1100,
  },
}

const ready = (role: 'server' | 'client'): Bench =>
  role === 'server' ? ServerBench.ready() : ClientBench.ready()

for (const [name, { token, roles, arrange, act, most }] of Object.entries(floods)) {
  for (const role of roles) {
    t.test(`${name}, at a ${role}`, (t) => {
      const bench = ready(role)
      arrange?.(bench)
      let last = ''
      let done = 0
      for (; done < 20_000 && !last.startsWith('GOAWAY'); done++) {
        bench.peer.send(...act(bench, done))
        last = bench.peer.take().at(-1) ?? ''
      }
      t.ok(last.includes(`ENHANCE_YOUR_CALM "${token}`), `${done} rounds: ${last.slice(0, 120)}`)
      t.ok(done <= most, `${done} rounds`)
      if (bench instanceof ServerBench) t.ok(bench.transport.openStreams <= 100)
      bench.finish()
      t.end()
    })
  }
}

t.test('the budget', (t) => {
  t.test('is not touched by the same things in honest measure', (t) => {
    for (const [name, { roles, arrange, act }] of Object.entries(floods)) {
      if (name.startsWith('PING')) continue
      for (const role of roles) {
        const bench = ready(role)
        arrange?.(bench)
        bench.peer.take()
        for (let i = 0; i < 100; i++) {
          bench.peer.send(...act(bench, i))
          bench.advance(300)
        }
        t.notMatch(bench.peer.take().join('\n'), /GOAWAY/, `${name}, at a ${role}`)
        bench.finish()
      }
    }
    t.end()
  })

  t.test('fills with streams that end well: a busy proxy may cancel a lot', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    let id = 1
    const next = (): number => {
      id += 2
      return id - 2
    }
    for (let i = 0; i < 3000; i++) {
      for (let good = 0; good < 3; good++) {
        peer.send(peer.headers(next(), REQUEST, { endStream: true }))
        bench.last.stream.headers(RESPONSE, true)
      }
      const cancelled = next()
      peer.send(peer.headers(cancelled, REQUEST), peer.rstStream(cancelled, 8))
    }
    t.notMatch(peer.take().join('\n'), /GOAWAY/)
    bench.assertAlive()
    bench.finish()
    t.end()
  })

  t.test('is not charged for streams whose handler had started', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    bench.onStream = ({ stream }) => {
      stream.handlerStarted = true
    }
    for (let i = 0; i < 3000; i++) {
      peer.send(peer.headers(odd(i), REQUEST))
      peer.send(peer.rstStream(odd(i), 8))
    }
    t.notMatch(peer.take().join('\n'), /GOAWAY/)
    bench.finish()
    t.end()
  })

  t.test('is not charged to a server that resets a client’s streams', (t) => {
    const bench = ClientBench.ready()
    for (let i = 0; i < 3000; i++) {
      bench.open(true)
      bench.peer.send(bench.peer.rstStream(odd(i), ErrorCode.REFUSED_STREAM))
    }
    t.notMatch(bench.peer.take().join('\n'), /GOAWAY/)
    bench.finish()
    t.end()
  })

  t.test('is not charged for two WINDOW_UPDATEs a DATA frame', (t) => {
    const bench = ClientBench.ready()
    const { peer } = bench
    for (let i = 0; i < 5000; i++) {
      const { stream } = bench.open()
      stream.data(Buffer.alloc(500), 0, 500, true)
      peer.take()
      const id = odd(i)
      peer.send(peer.windowUpdate(0, 500), peer.windowUpdate(id, 500))
      peer.send(peer.headers(id, RESPONSE, { endStream: true }))
    }
    t.notMatch(peer.take().join('\n'), /GOAWAY/)
    bench.assertAlive()
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('header blocks that never end', (t) => {
  const start = ({ peer }: Bench): Buffer => peer.headers(1, Buffer.alloc(0), { endHeaders: false })

  t.test('by empty CONTINUATION are stopped at the ninth (VU#421644)', (t) => {
    for (const role of both) {
      const bench = ready(role)
      if (bench instanceof ClientBench) bench.open()
      bench.peer.take()
      bench.peer.send(start(bench))
      for (let i = 0; i < 8; i++)
        bench.peer.send(bench.peer.continuation(1, Buffer.alloc(0), false))
      bench.peer.expect()
      bench.peer.send(bench.peer.continuation(1, Buffer.alloc(0), false))
      bench.peer.expect(/^GOAWAY .* ENHANCE_YOUR_CALM "too_many_continuations"/)
      bench.finish()
    }
    t.pass()
    t.end()
  })

  t.test('by size are stopped at twice the list limit, undecoded', (t) => {
    for (const fragment of [600, 16_384]) {
      const bench = ServerBench.ready({ maxHeaderListBytes: 3000 })
      bench.peer.send(start(bench))
      let sent = 0
      let lines: string[] = []
      for (; lines.length === 0 && sent < 1_000_000; sent += fragment) {
        bench.peer.send(bench.peer.continuation(1, Buffer.alloc(fragment, 0xff), false))
        lines = bench.peer.take()
      }
      t.match(lines, [/ENHANCE_YOUR_CALM "(header_block_too_large|too_many_continuations)"/])
      t.ok(sent <= 6000 + fragment, `${sent} octets`)
      bench.finish()
    }
    t.end()
  })

  t.test('by silence are stopped by the clock', (t) => {
    for (const role of both) {
      const bench = ready(role)
      if (bench instanceof ClientBench) bench.open()
      bench.peer.send(start(bench))
      bench.peer.take()
      for (let second = 0; second < 9; second++) {
        bench.advance(1000)
        // A drip of octets does not help.
        bench.peer.send(second === 0 ? '00 00 01 09 00 00 00 00 01' : '')
      }
      bench.peer.expect()
      bench.advance(1000)
      bench.peer.expect(/^GOAWAY .* ENHANCE_YOUR_CALM "header_block_timeout"/)
      bench.finish()
    }
    t.pass()
    t.end()
  })

  t.test('of small references to a large entry are counted, not made (HPACK bomb)', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    const entry = Buffer.concat([
      Buffer.from('4001787f810f', 'hex'), // literal with indexing: x, 2,048 octets
      Buffer.alloc(2048, 'y'),
    ])
    const bomb = Buffer.concat([peer.block(REQUEST), entry, Buffer.alloc(13_000, 0xbe)])
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < 60; i++) {
      peer.send(peer.headers(odd(i), i === 0 ? bomb : Buffer.alloc(13_000, 0xbe)))
    }
    const lines = peer.take()
    t.equal(lines.filter((line) => line.includes('{:status: 431}')).length, 60)
    t.equal(bench.served.length, 0)
    const grown = process.memoryUsage().heapUsed - before
    t.ok(grown < 10_000_000, `${grown} octets`)
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('a peer that makes us answer and does not read', (t) => {
  const attacks: Record<string, (bench: ServerBench, i: number) => Buffer[]> = {
    PING: ({ peer }) => [peer.ping()],
    SETTINGS: ({ peer }) => [peer.settings()],
    'malformed requests': ({ peer }, i) => [peer.headers(odd(i), ['X', 'y'])],
  }
  for (const [name, act] of Object.entries(attacks)) {
    t.test(`with ${name} is not read any more, and given up`, (t) => {
      const bench = ServerBench.ready(
        { minPingIntervalMs: 0, permitPingWithoutStream: true, glitchBurst: 1_000_000 },
        { wire: { capacityBytes: 0 } },
      )
      bench.wire.take()
      let sent = 0
      for (; !bench.wire.readingPaused && sent < 100_000; sent++) {
        bench.wire.deliver(Buffer.concat(act(bench, sent)))
        bench.wire.drive()
      }
      t.ok(sent < 10_000, `${sent} frames`)
      t.ok(bench.wire.unsentBytes < 70_000, `${bench.wire.unsentBytes} octets`)
      bench.advance(9_999)
      t.equal(bench.wire.state, 'open')
      bench.advance(1)
      t.not(bench.wire.state, 'open')
      t.match(bench.peer.take().at(-1), /ENHANCE_YOUR_CALM "reply_stall"/)
      bench.advance(1000)
      bench.finish()
      t.end()
    })
  }
  t.end()
})
