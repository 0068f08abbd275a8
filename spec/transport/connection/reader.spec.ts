// What each frame means for its stream: RFC 9113 section 5.1 on the wire, in both roles, and the
// blocks, bodies and ends of messages.
import t from 'tap'
import { ErrorCode, FrameType, Setting } from '../../../lib/frame/index.ts'
import { RecordingStream } from '../../support/recording-stream.ts'
import { ClientBench, REQUEST, RESPONSE, ServerBench } from '../../support/transport-bench.ts'

type Bench = ServerBench | ClientBench

/** Frames for stream `id`; the first four columns of the table are what opens or ends messages. */
const inputs: Record<string, (bench: Bench, id: number) => Buffer> = {
  HEADERS: ({ peer }, id) => peer.headers(id, peer.role === 'client' ? REQUEST : RESPONSE),
  'HEADERS END_STREAM': (bench, id) => {
    const { peer } = bench
    const isFirst = id === 1 && bench.transport.openStreams === 0
    const opening = peer.role === 'client' ? REQUEST : RESPONSE
    const fields = isFirst || awaitsHeaders.has(bench) ? opening : ['x', 'y']
    return peer.headers(id, fields, { endStream: true })
  },
  DATA: ({ peer }, id) => peer.data(id, 'data'),
  'DATA END_STREAM': ({ peer }, id) => peer.data(id, 'data', { endStream: true }),
  RST_STREAM: ({ peer }, id) => peer.rstStream(id, ErrorCode.CANCEL),
  WINDOW_UPDATE: ({ peer }, id) => peer.windowUpdate(id, 10),
  PRIORITY: ({ peer }, id) => peer.priority(id, 0),
  'PRIORITY of 4 octets': ({ peer }, id) => peer.frame(FrameType.PRIORITY, 0, id, Buffer.alloc(4)),
}
const names = Object.keys(inputs)
/** Clients whose stream has no response yet. */
const awaitsHeaders = new WeakSet<Bench>()

const ok = 'ok'
const sClosed = 'RST_STREAM STREAM_CLOSED'
const sProt = 'RST_STREAM PROTOCOL_ERROR'
const cClosed = 'GOAWAY STREAM_CLOSED'
const cProt = 'GOAWAY PROTOCOL_ERROR'
const sSize = 'RST_STREAM FRAME_SIZE_ERROR'
const cSize = 'GOAWAY FRAME_SIZE_ERROR'

interface Row {
  /** Brings a bench into the state; the identifier of the stream. */
  readonly arrange: (bench: never) => number
  readonly outcomes: readonly string[]
}

function answered(bench: ServerBench, endStream: boolean): number {
  bench.peer.send(bench.peer.headers(1, REQUEST, { endStream }))
  bench.last.stream.headers(RESPONSE, true)
  return 1
}

// biome-ignore format: a table
const serverRows: Record<string, Row> = {
  idle: {
    arrange: () => 1,
    //         HEADERS  +END     DATA     +END     RST    WINDOW PRIORITY of 4 octets
    outcomes: [ok,      ok,      cProt,   cProt,   cProt, cProt, ok,      cSize],
  },
  'idle, of the server’s own numbers': {
    arrange: () => 2,
    outcomes: [cProt,   cProt,   cProt,   cProt,   cProt, cProt, ok,      cSize],
  },
  open: {
    arrange: ({ peer }: ServerBench) => { peer.send(peer.headers(1, REQUEST)); return 1 },
    outcomes: [sProt,   ok,      ok,      ok,      ok,    ok,    ok,      sSize],
  },
  'half-closed by the peer': {
    arrange: ({ peer }: ServerBench) => { peer.send(peer.headers(1, REQUEST, { endStream: true })); return 1 },
    outcomes: [sClosed, sClosed, sClosed, sClosed, ok,    ok,    ok,      sSize],
  },
  'half-closed by us': {
    arrange: (bench: ServerBench) => answered(bench, false),
    outcomes: [sProt,   ok,      ok,      ok,      ok,    ok,    ok,      sSize],
  },
  'closed by END_STREAM of both': {
    arrange: (bench: ServerBench) => answered(bench, true),
    outcomes: [cClosed, cClosed, cClosed, cClosed, ok,    ok,    ok,      sSize],
  },
  'closed by the peer’s RST_STREAM': {
    arrange: ({ peer }: ServerBench) => { peer.send(peer.headers(1, REQUEST), peer.rstStream(1, 8)); return 1 },
    outcomes: [sClosed, sClosed, sClosed, sClosed, ok,    ok,    ok,      sSize],
  },
  'closed by our RST_STREAM': {
    arrange: (bench: ServerBench) => {
      bench.peer.send(bench.peer.headers(1, REQUEST))
      bench.last.stream.reset(ErrorCode.CANCEL, 'test')
      return 1
    },
    outcomes: [ok,      ok,      ok,      ok,      ok,    ok,    ok,      ok],
  },
  'closed long ago': {
    arrange: ({ peer }: ServerBench) => {
      for (let id = 1; id < 100; id += 2) peer.send(peer.headers(id, REQUEST), peer.rstStream(id, 8))
      return 1
    },
    outcomes: [sClosed, sClosed, sClosed, sClosed, ok,    ok,    ok,      sSize],
  },
  'passed over': {
    arrange: ({ peer }: ServerBench) => { peer.send(peer.headers(5, REQUEST)); return 3 },
    outcomes: [cProt,   cProt,   sClosed, sClosed, ok,    ok,    ok,      sSize],
  },
}

function opened(bench: ClientBench, endStream: boolean, respond: boolean): number {
  bench.open(endStream)
  if (respond) bench.peer.send(bench.peer.headers(1, RESPONSE))
  else awaitsHeaders.add(bench)
  return 1
}

// biome-ignore format: a table
const clientRows: Record<string, Row> = {
  idle: {
    arrange: () => 1,
    //         HEADERS  +END     DATA     +END     RST    WINDOW PRIORITY of 4 octets
    outcomes: [cProt,   cProt,   cProt,   cProt,   cProt, cProt, ok,      cSize],
  },
  'idle, of the server’s own numbers': {
    arrange: () => 2,
    outcomes: [cProt,   cProt,   cProt,   cProt,   cProt, cProt, ok,      cSize],
  },
  'open, without a response': {
    arrange: (bench: ClientBench) => opened(bench, false, false),
    outcomes: [ok,      ok,      sProt,   sProt,   ok,    ok,    ok,      sSize],
  },
  'open, within the response': {
    arrange: (bench: ClientBench) => opened(bench, false, true),
    outcomes: [sProt,   ok,      ok,      ok,      ok,    ok,    ok,      sSize],
  },
  'half-closed by us, without a response': {
    arrange: (bench: ClientBench) => opened(bench, true, false),
    outcomes: [ok,      ok,      sProt,   sProt,   ok,    ok,    ok,      sSize],
  },
  'half-closed by us, within the response': {
    arrange: (bench: ClientBench) => opened(bench, true, true),
    outcomes: [sProt,   ok,      ok,      ok,      ok,    ok,    ok,      sSize],
  },
  'half-closed by the peer': {
    arrange: (bench: ClientBench) => {
      bench.open()
      bench.peer.send(bench.peer.headers(1, RESPONSE, { endStream: true }))
      return 1
    },
    outcomes: [sClosed, sClosed, sClosed, sClosed, ok,    ok,    ok,      sSize],
  },
  'closed by END_STREAM of both': {
    arrange: (bench: ClientBench) => {
      bench.open(true)
      bench.peer.send(bench.peer.headers(1, RESPONSE, { endStream: true }))
      return 1
    },
    outcomes: [cClosed, cClosed, cClosed, cClosed, ok,    ok,    ok,      sSize],
  },
  'closed by the peer’s RST_STREAM': {
    arrange: (bench: ClientBench) => {
      bench.open()
      bench.peer.send(bench.peer.rstStream(1, 8))
      return 1
    },
    outcomes: [sClosed, sClosed, sClosed, sClosed, ok,    ok,    ok,      sSize],
  },
  'closed by our RST_STREAM': {
    arrange: (bench: ClientBench) => {
      bench.open().stream.reset(ErrorCode.CANCEL, 'test')
      return 1
    },
    outcomes: [ok,      ok,      ok,      ok,      ok,    ok,    ok,      ok],
  },
}

/** What the peer is told, in short. */
function outcomeOf(bench: Bench): string {
  const lines = bench.peer.take().filter((line) => /^(RST_STREAM|GOAWAY)/.test(line))
  if (lines.length === 0) return ok
  return lines
    .map((line) => line.replace(/^(\w+) .*?((?:STREAM_CLOSED|[A-Z_]+_ERROR)).*/, '$1 $2'))
    .join(', ')
}

const roles = [
  ['server', serverRows, () => ServerBench.ready()],
  ['client', clientRows, () => ClientBench.ready()],
] as const
for (const [role, rows, ready] of roles) {
  for (const [state, { arrange, outcomes }] of Object.entries(rows)) {
    t.test(`a ${role}’s stream that is ${state}`, (t) => {
      for (const [i, name] of names.entries()) {
        const bench = ready()
        const id = arrange(bench as never)
        bench.peer.take()
        bench.peer.send(inputs[name]!(bench, id))
        const outcome = outcomeOf(bench)
        t.equal(outcome, outcomes[i], name)
        if (!outcome.startsWith('GOAWAY')) bench.assertAlive()
        bench.finish()
      }
      for (const pushed of [2, 4]) {
        const bench = ready()
        const id = arrange(bench as never)
        bench.peer.take()
        bench.peer.send(bench.peer.pushPromise(id, pushed, REQUEST))
        t.equal(outcomeOf(bench), cProt, 'PUSH_PROMISE')
        bench.finish()
      }
      t.end()
    })
  }
}

t.test('a request', (t) => {
  t.test('is handed over with headers, data, trailers and end in order', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    peer.send(
      peer.headers(1, [...REQUEST, 'content-length', '5']),
      peer.data(1, 'he'),
      peer.data(1, 'llo'),
      peer.headers(1, ['x', 'y'], { endStream: true }),
    )
    t.strictSame(bench.last.log, ['request /s/m', 'data 5', 'trailers x y END', 'end'])
    bench.last.stream.headers(RESPONSE, false)
    bench.last.stream.trailers(['z', '1'])
    peer.expect(
      'HEADERS stream=1 length=1 flags=END_HEADERS block=1 {:status: 200}',
      /^HEADERS stream=1 .* flags=END_STREAM\|END_HEADERS .*\{z: 1\}/,
    )
    t.equal(bench.last.log.at(-1), 'closed by=end peer NO_ERROR')
    bench.assertQuiet()
    bench.finish()
    t.end()
  })

  t.test('may be answered before it has ended, and is then cut short without an error', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    peer.send(peer.headers(1, REQUEST), peer.data(1, 'part'))
    bench.last.stream.headers(RESPONSE, false)
    bench.last.stream.data(Buffer.from('no'), 0, 2, true)
    bench.last.stream.reset(ErrorCode.NO_ERROR, 'enough')
    peer.expect('HEADERS stream=1', /^DATA .*END_STREAM/, 'RST_STREAM stream=1 length=4 NO_ERROR')
    peer.send(peer.data(1, 'late', { endStream: true }))
    peer.expect()
    bench.assertQuiet()
    bench.finish()
    t.end()
  })

  t.test('one byte at a time is the same request', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    const octets = Buffer.concat([
      peer.headers(1, REQUEST, { padLength: 3, dependsOn: 7 }),
      peer.data(1, 'hello', { padLength: 2 }),
      peer.headers(1, ['x', 'y'], { endStream: true }),
    ])
    for (const octet of octets) peer.send(Buffer.of(octet))
    t.strictSame(bench.last.log, ['request /s/m', 'data 5', 'trailers x y END', 'end'])
    bench.finish()
    t.end()
  })

  t.test('that is answered, reset or lost as it is handed over ends once for its owner', (t) => {
    const ways: Record<string, [(bench: ServerBench) => void, string]> = {
      answered: [({ last }) => last.stream.headers(RESPONSE, true), 'closed by=end peer NO_ERROR'],
      reset: [
        ({ last }) => last.stream.reset(ErrorCode.CANCEL, 'no'),
        'closed by=reset local CANCEL no',
      ],
      lost: [(bench) => bench.transport.close(), 'closed by=transport local NO_ERROR'],
    }
    for (const [name, [act, closed]] of Object.entries(ways)) {
      const bench = ServerBench.ready()
      bench.onStream = () => act(bench)
      bench.peer.send(bench.peer.headers(1, REQUEST, { endStream: true }))
      t.strictSame(bench.last.log, ['request /s/m END', closed], name)
      bench.finish()
    }
    t.end()
  })

  t.test('and its RST_STREAM in one read start nothing', (t) => {
    const bench = ServerBench.ready()
    let started = 0
    bench.onStream = ({ stream }) =>
      bench.transport.afterReceive({
        run: () => {
          if (!stream.closed) started += 1
        },
      })
    const { peer } = bench
    peer.send(peer.headers(1, REQUEST), peer.rstStream(1, 8), peer.headers(3, REQUEST))
    t.equal(started, 1)
    bench.finish()
    t.end()
  })

  t.test('depending on itself is reset after its block was decoded', (t) => {
    for (const split of [false, true]) {
      const bench = ServerBench.ready()
      const { peer } = bench
      const fields = [...REQUEST, 'x-new', 'value']
      const block = peer.block(fields)
      if (split) {
        peer.send(
          peer.headers(1, block.subarray(0, 3), { dependsOn: 1, endHeaders: false }),
          peer.continuation(1, block.subarray(3)),
        )
      } else peer.send(peer.headers(1, block, { dependsOn: 1 }))
      peer.expect('RST_STREAM stream=1 length=4 PROTOCOL_ERROR')
      peer.send(peer.headers(3, fields))
      t.strictSame(bench.last.block.fields, fields)
      bench.finish()
    }
    t.end()
  })
  t.end()
})

t.test('a response', (t) => {
  t.test('goes through informational blocks to the final one', (t) => {
    const bench = ClientBench.ready()
    const call = bench.open(true)
    const { peer } = bench
    peer.send(
      peer.headers(1, [':status', '100']),
      peer.headers(1, [':status', '103', 'link', '</a>']),
      peer.headers(1, RESPONSE),
      peer.data(1, 'hi'),
      peer.headers(1, ['x', 'y'], { endStream: true }),
    )
    t.strictSame(call.log, [
      'informational :status 100',
      'informational :status 103 link </a>',
      'headers :status 200',
      'data 2',
      'trailers x y END',
      'end',
      'closed by=end peer NO_ERROR',
    ])
    bench.assertQuiet()
    bench.finish()
    t.end()
  })

  t.test('has eight informational blocks at most', (t) => {
    const bench = ClientBench.ready()
    const call = bench.open(true)
    const { peer } = bench
    peer.take()
    for (let i = 0; i < 8; i++) peer.send(peer.headers(1, [':status', '103']))
    t.equal(call.log.length, 8)
    peer.expect()
    peer.send(peer.headers(1, [':status', '103']))
    peer.expect('RST_STREAM stream=1 length=4 PROTOCOL_ERROR')
    t.match(call.log.at(-1), 'too_many_informational')
    bench.finish()
    t.end()
  })

  t.test('whose end is followed by RST_STREAM loses no data', (t) => {
    const bench = ClientBench.ready()
    const call = bench.open(false)
    const { peer } = bench
    peer.send(
      peer.headers(1, RESPONSE),
      peer.data(1, 'all', { endStream: true }),
      peer.rstStream(1, ErrorCode.NO_ERROR),
    )
    t.strictSame(call.log, [
      'headers :status 200',
      'data 3',
      'end',
      'closed by=reset peer NO_ERROR',
    ])
    bench.finish()
    t.end()
  })

  t.test('to HEAD, or with 304, may name a length that does not come', (t) => {
    const bench = ClientBench.ready()
    const head = new RecordingStream()
    head.stream = bench.transport.openStream(
      [':method', 'HEAD', ...REQUEST.slice(2)],
      head,
      undefined,
      true,
    )
    const cached = bench.open(true)
    const { peer } = bench
    peer.send(
      peer.headers(1, [...RESPONSE, 'content-length', '5'], { endStream: true }),
      peer.headers(3, [':status', '304', 'content-length', '5'], { endStream: true }),
    )
    t.equal(head.closedBy?.by, 'end')
    t.equal(cached.closedBy?.by, 'end')
    bench.finish()
    t.end()
  })

  t.test('with a refusal says that the request was not processed', (t) => {
    const bench = ClientBench.ready()
    const call = bench.open(true)
    bench.peer.send(bench.peer.rstStream(1, ErrorCode.REFUSED_STREAM))
    t.strictSame(call.log, ['closed by=reset peer REFUSED_STREAM unprocessed'])
    bench.finish()
    t.end()
  })

  t.test('with an unknown reset code keeps the code', (t) => {
    const bench = ClientBench.ready()
    const call = bench.open(true)
    bench.peer.send(bench.peer.rstStream(1, 0xfeed))
    t.equal(call.closedBy?.code, 0xfeed)
    bench.finish()
    t.end()
  })

  t.test('owners that end another stream while they are told', (t) => {
    const bench = ClientBench.ready()
    const calls: RecordingStream[] = []
    const hook = (line: string): void => {
      if (line.startsWith('closed')) for (const { stream } of calls) stream.reset(8, 'sibling')
    }
    for (let i = 0; i < 4; i++) calls.push(bench.open(true, { hook }))
    bench.peer.send(bench.peer.goAway(1))
    t.strictSame(
      calls.map((call) => call.closedTimes),
      [1, 1, 1, 1],
    )
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('header blocks', (t) => {
  t.test('may be split over CONTINUATION anywhere', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    // Without a table all blocks are the same.
    peer.encoder.setPeerMaxTableBytes(0)
    peer.send(peer.headers(1, REQUEST, { endStream: true }))
    const { length } = peer.block(REQUEST)
    let id = 3
    for (let cut = 0; cut <= length; cut++, id += 2) {
      const block = peer.block(REQUEST)
      const at = Math.min(cut, block.length)
      peer.send(
        peer.headers(id, block.subarray(0, at), { endHeaders: false, endStream: true }),
        peer.continuation(id, block.subarray(at, at), false),
        peer.continuation(id, block.subarray(at)),
      )
    }
    t.equal(bench.served.length, length + 2)
    for (const { log } of bench.served) t.strictSame(log, ['request /s/m END', 'end'])
    bench.finish()
    t.end()
  })

  t.test('are one run of frames', (t) => {
    const between: Record<string, (bench: ServerBench) => Buffer> = {
      'a frame of another type': ({ peer }) => peer.ping(),
      'DATA of the same stream': ({ peer }) => peer.data(1, ''),
      'a frame of unknown type': ({ peer }) => peer.frame(0x77, 0, 1),
      'CONTINUATION of another stream': ({ peer }) => peer.continuation(3, Buffer.alloc(0)),
    }
    for (const [name, frame] of Object.entries(between)) {
      const bench = ServerBench.ready()
      const { peer } = bench
      peer.send(peer.headers(1, REQUEST, { endHeaders: false }), frame(bench))
      peer.expect(/^GOAWAY .* PROTOCOL_ERROR "continuation_/)
      t.equal(bench.served.length, 0, name)
      bench.finish()
    }
    t.end()
  })

  t.test('that HPACK cannot read end the connection', (t) => {
    for (const block of ['80', 'be', 'c0', '7f 07 00', '40 01', '3f ff ff ff ff ff 0f', '82 20']) {
      for (const bench of [ServerBench.ready(), ClientBench.ready()]) {
        const { peer } = bench
        if (bench instanceof ClientBench) bench.open()
        peer.take()
        peer.send(peer.headers(1, Buffer.from(block.replaceAll(' ', ''), 'hex')))
        peer.expect(/^GOAWAY .* COMPRESSION_ERROR/)
        bench.finish()
      }
    }
    t.end()
  })

  t.test('of streams that nobody takes keep HPACK in step', (t) => {
    const fields = [...REQUEST, 'x-new', 'value']
    const cases: Record<string, (bench: ServerBench) => void> = {
      refused: ({ peer }) => peer.send(peer.headers(1, REQUEST), peer.headers(3, fields)),
      malformed: ({ peer }) => peer.send(peer.headers(1, ['X', '1', 'x-new', 'value'])),
      'trailers of a stream that we reset': ({ peer, served }) => {
        peer.send(peer.headers(1, REQUEST))
        served[0]?.stream.reset(ErrorCode.CANCEL, 'test')
        peer.send(peer.headers(1, fields, { endStream: true }))
      },
      'on a stream half-closed by the peer': ({ peer }) =>
        peer.send(peer.headers(1, REQUEST, { endStream: true }), peer.headers(1, fields)),
      'over the list limit': ({ peer }) =>
        peer.send(peer.headers(1, [...fields, 'x-long', 'y'.repeat(17_000)])),
    }
    for (const [name, act] of Object.entries(cases)) {
      const bench = ServerBench.ready({ maxConcurrentStreams: 1, maxFrameBytes: 20_000 })
      const { peer } = bench
      act(bench)
      for (const { stream } of bench.served) stream.reset(ErrorCode.CANCEL, 'make room')
      peer.send(peer.headers(5, fields))
      t.strictSame(bench.last.block.fields, fields, name)
      bench.finish()
    }
    t.end()
  })

  t.test('over the list limit are answered with 431 by a server', (t) => {
    const lists: Record<string, string[]> = {
      octets: [...REQUEST, 'x', 'y'.repeat(17_000)],
      fields: [...REQUEST, ...Array.from({ length: 97 }, () => ['c', '']).flat()],
    }
    for (const [name, fields] of Object.entries(lists)) {
      for (const endStream of [false, true]) {
        const bench = ServerBench.ready()
        const { peer } = bench
        const block = peer.block(fields)
        peer.send(
          peer.headers(1, block.subarray(0, 10), { endStream, endHeaders: false }),
          peer.continuation(1, block.subarray(10, 10 + 16_384), block.length <= 10 + 16_384),
          ...(block.length > 10 + 16_384
            ? [peer.continuation(1, block.subarray(10 + 16_384))]
            : []),
        )
        const wanted = [/^HEADERS stream=1 .*END_STREAM.*\{:status: 431\}/]
        if (!endStream) wanted.push(/^RST_STREAM stream=1 length=4 NO_ERROR/)
        peer.expect(...wanted)
        t.equal(bench.served.length, 0, name)
        bench.assertAlive()
        bench.assertQuiet()
        bench.finish()
      }
    }
    t.end()
  })

  t.test('over the list limit as trailers reset a stream whose answer has begun', (t) => {
    for (const begun of [false, true]) {
      const bench = ServerBench.ready({ maxHeaderListBytes: 300 })
      const { peer } = bench
      peer.send(peer.headers(1, REQUEST))
      if (begun) bench.last.stream.headers(RESPONSE, false)
      peer.take()
      peer.send(peer.headers(1, ['x', 'y'.repeat(300)], { endStream: true }))
      if (begun) peer.expect('RST_STREAM stream=1 length=4 ENHANCE_YOUR_CALM')
      else peer.expect(/^HEADERS .*\{:status: 431\}/, /^RST_STREAM .* NO_ERROR/)
      t.match(bench.last.log.at(-1), /^closed by=reset local \w+ header_list_too_large$/)
      bench.assertAlive()
      bench.finish()
    }
    t.end()
  })

  t.test('over the list limit cancel a client’s stream', (t) => {
    const bench = ClientBench.ready({ maxHeaderListBytes: 300 })
    const call = bench.open()
    bench.peer.take()
    bench.peer.send(bench.peer.headers(1, [...RESPONSE, 'x', 'y'.repeat(300)]))
    bench.peer.expect('RST_STREAM stream=1 length=4 CANCEL')
    t.strictSame(call.log, ['closed by=reset local CANCEL header_list_too_large'])
    bench.assertAlive()
    bench.finish()
    t.end()
  })

  t.test('that are not complete in time end the connection, each with its own time', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    // Each read ends one block and begins the next.
    let rest: Buffer = Buffer.alloc(0)
    for (let i = 0; i < 30; i++) {
      const frame = peer.headers(2 * i + 1, REQUEST, { endStream: true })
      peer.send(rest, frame.subarray(0, 10))
      rest = frame.subarray(10)
      bench.advance(1000)
    }
    t.equal(bench.served.length, 29)
    peer.expect()
    bench.advance(8999)
    peer.expect()
    bench.advance(1)
    peer.expect(/^GOAWAY .* ENHANCE_YOUR_CALM "header_block_timeout"/)
    bench.finish()
    t.end()
  })

  t.test('with outer white space are malformed, or trimmed where that is asked for', (t) => {
    const fields = [...REQUEST, 'x', ' y\t']
    const strict = ServerBench.ready()
    strict.peer.send(strict.peer.headers(1, fields))
    strict.peer.expect('RST_STREAM stream=1 length=4 PROTOCOL_ERROR')
    strict.finish()
    const lenient = ServerBench.ready({ fieldWhitespace: 'trim' })
    lenient.peer.send(lenient.peer.headers(1, fields))
    t.strictSame(lenient.last.block.fields, [...REQUEST, 'x', 'y'])
    lenient.finish()
    t.end()
  })
  t.end()
})

t.test('the concurrency limit of a server', (t) => {
  const bench = ServerBench.ready({ maxConcurrentStreams: 2 })
  const { peer } = bench
  peer.send(peer.headers(1, REQUEST), peer.headers(3, REQUEST), peer.headers(5, REQUEST))
  peer.expect('RST_STREAM stream=5 length=4 REFUSED_STREAM')
  t.equal(bench.served.length, 2)
  peer.send(peer.data(5, 'late', { endStream: true }), peer.rstStream(5, 8))
  peer.expect()
  bench.served[0]?.stream.reset(ErrorCode.CANCEL, 'test')
  peer.send(peer.headers(7, REQUEST))
  t.equal(bench.served.length, 3)
  bench.finish()
  t.end()
})

t.test('frames that RFC 9113 lets pass', (t) => {
  const harmless: Record<string, (bench: Bench) => Buffer> = {
    'an unknown type on a stream': ({ peer }) => peer.frame(0x77, 0xff, 1, 'abcd'),
    'an unknown type on the connection': ({ peer }) => peer.frame(0xfe, 0, 0),
    'an unknown setting': ({ peer }) => peer.settings([[0xffff, 7]]),
    'an unsolicited PING ACK': ({ peer }) => peer.ping('00 00 00 00 00 00 00 01', true),
    'PRIORITY of an idle stream': ({ peer }) => peer.priority(99, 0),
    'unknown flags': ({ peer }) => peer.frame(0x6, 0xfe, 0, '00 00 00 00 00 00 00 00'),
    'the reserved bit': ({ peer }) => peer.frame(0x8, 0, 0x8000_0000, '80 00 00 01'),
    'one setting twice': ({ peer }) =>
      peer.settings([
        [Setting.MAX_FRAME_SIZE, 20_000],
        [Setting.MAX_FRAME_SIZE, 30_000],
      ]),
  }
  for (const [name, frame] of Object.entries(harmless)) {
    for (const bench of [ServerBench.ready(), ClientBench.ready()]) {
      bench.peer.send(frame(bench))
      t.notMatch(bench.peer.take().join('\n'), /GOAWAY|RST_STREAM/, name)
      bench.assertAlive()
      bench.finish()
    }
  }
  t.end()
})

t.test('frames that break the connection, at once', (t) => {
  // biome-ignore format: a table
  const rows: readonly [name: string, frame: (bench: Bench) => Buffer, code: string][] = [
    ['DATA on stream 0', ({ peer }) => peer.data(0, 'x'), 'PROTOCOL_ERROR'],
    ['HEADERS on stream 0', ({ peer }) => peer.headers(0, REQUEST), 'PROTOCOL_ERROR'],
    ['PRIORITY on stream 0', ({ peer }) => peer.priority(0, 1), 'PROTOCOL_ERROR'],
    ['RST_STREAM on stream 0', ({ peer }) => peer.rstStream(0, 8), 'PROTOCOL_ERROR'],
    ['CONTINUATION alone', ({ peer }) => peer.continuation(1, Buffer.alloc(1)), 'PROTOCOL_ERROR'],
    ['SETTINGS on a stream', ({ peer }) => peer.frame(0x4, 0, 1), 'PROTOCOL_ERROR'],
    ['PING on a stream', ({ peer }) => peer.frame(0x6, 0, 1, '00 00 00 00 00 00 00 00'), 'PROTOCOL_ERROR'],
    ['GOAWAY on a stream', ({ peer }) => peer.frame(0x7, 0, 1, '00 00 00 00 00 00 00 00'), 'PROTOCOL_ERROR'],
    ['short RST_STREAM', ({ peer }) => peer.frame(0x3, 0, 1, '00 00 00'), 'FRAME_SIZE_ERROR'],
    ['short PING', ({ peer }) => peer.frame(0x6, 0, 0, '00'), 'FRAME_SIZE_ERROR'],
    ['short GOAWAY', ({ peer }) => peer.frame(0x7, 0, 0, '00 00 00 00'), 'FRAME_SIZE_ERROR'],
    ['short WINDOW_UPDATE', ({ peer }) => peer.frame(0x8, 0, 0, '00 00 01'), 'FRAME_SIZE_ERROR'],
    ['uneven SETTINGS', ({ peer }) => peer.frame(0x4, 0, 0, '00 01 00'), 'FRAME_SIZE_ERROR'],
    ['SETTINGS ACK with content', ({ peer }) => peer.frame(0x4, 1, 0, '00 01 00 00 00 00'), 'FRAME_SIZE_ERROR'],
    ['SETTINGS of 33 entries', ({ peer }) => peer.frame(0x4, 0, 0, Buffer.alloc(33 * 6)), 'ENHANCE_YOUR_CALM'],
    ['padding over the payload', ({ peer }) => peer.frame(0x0, 0x8, 1, '02 00'), 'PROTOCOL_ERROR'],
    ['WINDOW_UPDATE of 0', ({ peer }) => peer.windowUpdate(0, 0), 'PROTOCOL_ERROR'],
    ['WINDOW_UPDATE of 0 on an idle stream', ({ peer }) => peer.windowUpdate(9, 0), 'PROTOCOL_ERROR'],
    ['WINDOW_UPDATE over 2^31-1', ({ peer }) => peer.windowUpdate(0, 0x7fff_ffff), 'FLOW_CONTROL_ERROR'],
    ['an idle PRIORITY depending on itself', ({ peer }) => peer.priority(9, 9), 'PROTOCOL_ERROR'],
  ]
  for (const [name, frame, code] of rows) {
    for (const bench of [ServerBench.ready(), ClientBench.ready()]) {
      bench.peer.send(frame(bench), bench.peer.settings())
      bench.peer.expect(new RegExp(`^GOAWAY stream=0 length=\\d+ last=0 ${code} "`))
      t.pass(name)
      bench.finish()
    }
  }
  t.end()
})

t.test('frames that break their stream alone', (t) => {
  // biome-ignore format: a table
  const rows: readonly [name: string, frame: (bench: Bench) => Buffer, code: string][] = [
    ['WINDOW_UPDATE of 0', ({ peer }) => peer.windowUpdate(1, 0), 'PROTOCOL_ERROR'],
    ['WINDOW_UPDATE over 2^31-1', ({ peer }) => peer.windowUpdate(1, 0x7fff_ffff), 'FLOW_CONTROL_ERROR'],
    ['PRIORITY of four octets', ({ peer }) => peer.frame(0x2, 0, 1, '00 00 00 00'), 'FRAME_SIZE_ERROR'],
    ['PRIORITY depending on itself', ({ peer }) => peer.priority(1, 1), 'PROTOCOL_ERROR'],
  ]
  for (const [name, frame, code] of rows) {
    for (const bench of [ServerBench.ready(), ClientBench.ready()]) {
      const { peer } = bench
      if (bench instanceof ClientBench) bench.open()
      else peer.send(peer.headers(1, REQUEST))
      peer.take()
      peer.send(frame(bench))
      peer.expect(`RST_STREAM stream=1 length=4 ${code}`)
      peer.send(frame(bench))
      peer.expect()
      t.pass(name)
      bench.assertAlive()
      bench.assertQuiet()
      bench.finish()
    }
  }
  t.end()
})
