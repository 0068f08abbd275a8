// How a connection ends: GOAWAY either way, gracefully, by an error, with the wire; who is told what.
import t from 'tap'
import { ErrorCode, Http2Error, Setting } from '../../../lib/frame/index.ts'
import { FakeClock, MEMORY_PEER, MemoryWire, Simulation } from '../../../lib/testing/index.ts'
import { ClientTransport, ServerTransport, TransportClosed } from '../../../lib/transport/index.ts'
import { RecordingStream } from '../../support/recording-stream.ts'
import { ClientBench, REQUEST, RESPONSE, ServerBench } from '../../support/transport-bench.ts'

const GOAWAY = 'GOAWAY stream=0'

t.test('GOAWAY from the peer', (t) => {
  t.test('ends the streams above its last one as unprocessed, others go on', (t) => {
    const bench = ClientBench.ready()
    const calls = [bench.open(), bench.open(), bench.open()]
    bench.peer.send(bench.peer.goAway(3, ErrorCode.NO_ERROR, 'bye'))
    t.strictSame(
      calls.map((call) => call.log),
      [[], [], ['closed by=goaway peer REFUSED_STREAM unprocessed']],
    )
    t.match(calls[2]?.closedBy?.cause, { message: /GOAWAY\(NO_ERROR\) bye/ })
    t.strictSame(bench.events, ['draining last=3 code=0 bye'])
    t.notOk(bench.transport.canOpen)
    t.match(bench.open().log, ['closed by=goaway peer REFUSED_STREAM unprocessed'])
    bench.peer.take()
    for (const call of calls.slice(0, 2)) call.stream.data(Buffer.from('x'), 0, 1, true)
    bench.peer.send(
      bench.peer.headers(1, RESPONSE, { endStream: true }),
      bench.peer.headers(3, RESPONSE, { endStream: true }),
    )
    t.match(calls[1]?.log, ['headers :status 200 END', 'end', 'closed by=end peer NO_ERROR'])
    bench.peer.expect('DATA stream=1', 'DATA stream=3', /^GOAWAY .* NO_ERROR$/)
    t.equal(bench.events.length, 2, 'it closes when the last stream is done')
    bench.finish()
    t.end()
  })

  t.test('ends every call that waits for the stream limit, whatever its last id', (t) => {
    for (const last of [0, 1, 0x7fff_ffff]) {
      const bench = ClientBench.ready({}, { settings: [[Setting.MAX_CONCURRENT_STREAMS, 1]] })
      const open = bench.open()
      const waiting = [bench.open(), bench.open()]
      t.equal(bench.transport.waitingStreams, 2)
      bench.peer.take()
      bench.peer.send(bench.peer.goAway(last))
      for (const call of waiting) {
        t.strictSame(call.log, ['closed by=goaway peer REFUSED_STREAM unprocessed'], `last=${last}`)
      }
      t.equal(bench.transport.waitingStreams, 0)
      t.equal(open.closedTimes, last === 0 ? 1 : 0)
      const lines = bench.peer.take().filter((line) => !line.startsWith(GOAWAY))
      t.strictSame(lines, [], 'nothing is opened any more')
      bench.finish()
    }
    t.end()
  })

  t.test('a call that is tried again at once is not opened on the same connection', (t) => {
    const bench = ClientBench.ready()
    const again: RecordingStream[] = []
    bench.open(false, {
      hook: (line) => {
        if (line.startsWith('closed') && again.length === 0) again.push(bench.open())
      },
    })
    bench.peer.take()
    bench.peer.send(bench.peer.goAway(0))
    t.match(again[0]?.log, ['closed by=goaway peer REFUSED_STREAM unprocessed'])
    bench.peer.expect(/^GOAWAY/)
    bench.finish()
    t.end()
  })

  t.test('ends a call whose HEADERS the wire has not taken', (t) => {
    const bench = ClientBench.ready({ blockedBytes: 100 }, { wire: { capacityBytes: 0 } })
    bench.open().stream.data(Buffer.alloc(200), 0, 200, false)
    bench.wire.drive()
    const unsent = bench.open()
    t.equal(unsent.stream.id, 0)
    bench.peer.send(bench.peer.goAway(0x7fff_ffff))
    t.strictSame(unsent.log, ['closed by=goaway peer REFUSED_STREAM unprocessed'])
    bench.finish()
    t.end()
  })

  t.test('a second one may lower the last id, never raise it', (t) => {
    const bench = ClientBench.ready()
    const calls = [bench.open(), bench.open()]
    bench.peer.send(bench.peer.goAway(0x7fff_ffff))
    t.strictSame(
      calls.map((call) => call.log.length),
      [0, 0],
    )
    bench.peer.send(bench.peer.goAway(1))
    t.strictSame(
      calls.map((call) => call.log.length),
      [0, 1],
    )
    t.equal(bench.events.length, 1)
    bench.peer.take()
    bench.peer.send(bench.peer.goAway(3))
    bench.peer.expect(/^GOAWAY .* PROTOCOL_ERROR "goaway_last_id_increased: /)
    bench.finish()
    t.end()
  })

  t.test('from a client changes nothing for its streams', (t) => {
    const bench = ServerBench.ready()
    bench.peer.send(bench.peer.headers(1, REQUEST), bench.peer.goAway(0))
    bench.peer.send(bench.peer.data(1, 'x', { endStream: true }))
    bench.last.stream.headers(RESPONSE, true)
    t.match(bench.last.log, ['request /s/m', 'data 1', 'end', 'closed by=end'])
    bench.assertAlive()
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('a server’s graceful end', (t) => {
  t.test('goes in two steps and waits for the streams', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    peer.send(peer.headers(1, REQUEST, { endStream: true }))
    bench.transport.drain('max_age')
    bench.transport.drain('again')
    peer.expect(
      'GOAWAY stream=0 length=15 last=2147483647 NO_ERROR "max_age"',
      'PING stream=0 length=8 0106010800030309',
    )
    peer.send(peer.headers(3, REQUEST, { endStream: true }))
    t.equal(bench.served.length, 2, 'still taken')
    peer.send(peer.ping('0106010800030309', true))
    peer.expect('GOAWAY stream=0 length=8 last=3 NO_ERROR')
    peer.send(peer.headers(5, REQUEST, { endStream: true }))
    t.equal(bench.served.length, 2, 'not taken any more')
    peer.expect()
    bench.served[0]?.stream.headers(RESPONSE, true)
    peer.expect('HEADERS stream=1')
    t.equal(bench.ended, undefined)
    bench.served[1]?.stream.headers(RESPONSE, true)
    peer.expect('HEADERS stream=3', 'GOAWAY stream=0 length=8 last=3 NO_ERROR')
    t.type(bench.ended, TransportClosed)
    bench.finish()
    t.ok(bench.isClosed)
    t.end()
  })

  t.test('does not wait for ever for the answer to its ping', (t) => {
    const bench = ServerBench.ready()
    bench.transport.drain()
    bench.peer.expect('GOAWAY', 'PING')
    bench.advance(4999)
    bench.peer.expect()
    bench.advance(1)
    bench.peer.expect('GOAWAY stream=0 length=8 last=0 NO_ERROR', 'GOAWAY')
    t.ok(bench.ended)
    bench.finish()
    t.end()
  })

  t.test('keeps HPACK in step with blocks that it ignores', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    peer.send(peer.headers(1, REQUEST))
    bench.transport.drain()
    peer.send(peer.ping('0106010800030309', true))
    peer.send(peer.headers(3, [...REQUEST, 'x-new', 'one']), peer.data(3, 'ignored'))
    peer.send(peer.headers(1, ['x-new', 'one'], { endStream: true }))
    t.match(bench.last.log, ['request /s/m', 'trailers x-new one END', 'end'])
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('how a connection ends', (t) => {
  t.test('close tells the peer, the streams and the owner, once each', (t) => {
    const client = ClientBench.ready()
    const call = client.open()
    client.peer.take()
    client.transport.close('enough')
    client.transport.close('again')
    t.strictSame(call.log, ['closed by=transport local NO_ERROR'])
    t.strictSame(client.events, ['closed memory: enough'])
    client.peer.expect('GOAWAY stream=0 length=8 last=0 NO_ERROR')
    client.finish()
    const server = ServerBench.ready()
    server.peer.send(server.peer.headers(1, REQUEST))
    server.transport.close()
    server.peer.expect('GOAWAY stream=0 length=8 last=1 NO_ERROR')
    t.match(server.last.log, ['request /s/m', 'closed by=transport local NO_ERROR'])
    server.finish()
    t.end()
  })

  t.test('calls that wait for the stream limit hear of it too', (t) => {
    for (const end of ['close', 'peer', 'broken'] as const) {
      const bench = ClientBench.ready({}, { settings: [[Setting.MAX_CONCURRENT_STREAMS, 1]] })
      const calls = [bench.open(), bench.open(), bench.open()]
      if (end === 'close') bench.transport.close()
      else if (end === 'peer') bench.wire.deliverEnd()
      else bench.wire.fail()
      bench.wire.drive()
      t.strictSame(
        calls.map((call) => call.closedTimes),
        [1, 1, 1],
        end,
      )
      t.strictSame(
        calls.map((call) => call.closedBy?.processed),
        [true, false, false],
        end,
      )
      t.strictSame(
        calls.map((call) => call.closedBy?.by),
        ['transport', 'transport', 'transport'],
      )
      bench.finish()
    }
    t.end()
  })

  t.test('what was encoded leaves before the GOAWAY', (t) => {
    const bench = ServerBench.ready()
    bench.peer.send(bench.peer.headers(1, REQUEST, { endStream: true }))
    bench.last.stream.headers(RESPONSE, false)
    bench.last.stream.data(Buffer.from('x'), 0, 1, false)
    bench.transport.close()
    bench.peer.expect('HEADERS stream=1', 'DATA stream=1', 'GOAWAY')
    bench.finish()
    t.end()
  })

  t.test('closeGracefully waits for streams, those that wait to open included', (t) => {
    const bench = ClientBench.ready({}, { settings: [[Setting.MAX_CONCURRENT_STREAMS, 1]] })
    const calls = [bench.open(true), bench.open(true)]
    bench.transport.closeGracefully()
    bench.transport.closeGracefully()
    t.equal(bench.open().closedBy?.processed, false)
    bench.peer.send(bench.peer.headers(1, RESPONSE, { endStream: true }))
    bench.peer.expect('HEADERS stream=1', 'HEADERS stream=3')
    t.strictSame(bench.events, [])
    bench.peer.send(bench.peer.headers(3, RESPONSE, { endStream: true }))
    bench.peer.expect('GOAWAY')
    t.strictSame(bench.events, ['closed memory: the connection was drained'])
    t.strictSame(
      calls.map((call) => call.closedBy?.by),
      ['end', 'end'],
    )
    bench.finish()
    t.end()
  })

  t.test('closeGracefully with no stream closes at once', (t) => {
    const bench = ClientBench.ready()
    bench.transport.closeGracefully()
    bench.peer.expect('GOAWAY')
    bench.finish()
    t.end()
  })

  t.test('nothing is parsed after a callback closed the connection', (t) => {
    const client = ClientBench.ready()
    const first = client.open(true, { hook: () => client.transport.close('on headers') })
    const second = client.open(true)
    client.peer.take()
    client.peer.send(
      client.peer.headers(1, RESPONSE),
      client.peer.headers(3, RESPONSE),
      client.peer.settings(),
      client.peer.ping(),
      client.peer.frame(0x4, 0, 0, '00'),
    )
    t.strictSame(first.log, ['headers :status 200', 'closed by=transport local NO_ERROR'])
    t.strictSame(second.log, ['closed by=transport local NO_ERROR'])
    client.peer.expect('GOAWAY stream=0 length=8 last=0 NO_ERROR')
    t.strictSame(client.events, ['closed memory: on headers'])
    client.finish()

    const server = ServerBench.ready({ keepalive: { timeMs: 60_000 } })
    server.onStream = () => server.transport.close('on stream')
    const { peer } = server
    peer.send(
      peer.headers(1, REQUEST),
      peer.headers(3, REQUEST),
      peer.settings(),
      peer.ping(),
      peer.headers(5, REQUEST, { endHeaders: false }),
    )
    t.equal(server.served.length, 1)
    peer.expect('GOAWAY stream=0 length=8 last=1 NO_ERROR')
    server.finish()
    t.end()
  })

  t.test('a connection closed by the listener of its first SETTINGS stays closed', (t) => {
    const clock = new FakeClock()
    const wire = new MemoryWire(clock)
    const calls: string[] = []
    const client: ClientTransport = new ClientTransport(wire, MEMORY_PEER, {
      clock,
      listener: {
        onReady: () => {
          calls.push('ready')
          client.close()
        },
        onClosed: () => calls.push('closed'),
      },
    })
    wire.start(client.start())
    wire.deliver(Buffer.from('000000040000000000 000000040000000000'.replaceAll(' ', ''), 'hex'))
    wire.deliverEnd()
    wire.drive()
    t.strictSame(calls, ['ready', 'closed'])
    t.equal(clock.pending, 0)
    t.end()
  })

  t.test('an error while a header block is open leaves no timer', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    peer.send(peer.headers(1, REQUEST, { endHeaders: false }), peer.ping())
    peer.expect(/^GOAWAY .* PROTOCOL_ERROR "continuation_expected: /)
    bench.finish()
    t.end()
  })

  t.test('what was ready when a later frame broke the connection still runs', (t) => {
    const bench = ServerBench.ready()
    const ran: string[] = []
    bench.onStream = ({ stream }) =>
      bench.transport.afterReceive({
        run: () => ran.push(`stream ${stream.id} closed=${stream.closed}`),
      })
    const { peer } = bench
    peer.send(peer.headers(1, REQUEST, { endStream: true }), peer.windowUpdate(0, 0))
    peer.expect(/^GOAWAY .* last=1 PROTOCOL_ERROR "window_update_zero_on_connection: /)
    t.strictSame(ran, ['stream 1 closed=true'])
    bench.finish()
    t.end()
  })

  t.test(
    'a fault of our own ends the connection with INTERNAL_ERROR and nothing is thrown',
    (t) => {
      const places: Record<string, (bench: ServerBench) => void> = {
        'in onStream': (bench) => {
          bench.onStream = () => {
            throw new Error('fault')
          }
        },
        'in a postponed task': (bench) => {
          bench.onStream = () =>
            bench.transport.afterReceive({
              run: () => {
                throw new Error('fault')
              },
            })
        },
      }
      for (const [place, arrange] of Object.entries(places)) {
        const bench = ServerBench.ready()
        const { peer } = bench
        arrange(bench)
        peer.send(peer.headers(1, REQUEST))
        peer.expect(/^GOAWAY .* INTERNAL_ERROR "internal: internal error: Error: fault"/)
        t.match(bench.ended?.cause, { message: 'fault' }, place)
        bench.finish()
      }
      t.end()
    },
  )

  t.test('one task that throws does not keep the others from running', (t) => {
    const bench = ServerBench.ready()
    const ran: number[] = []
    bench.onStream = ({ stream }) =>
      bench.transport.afterReceive({
        run: () => {
          ran.push(stream.id)
          if (stream.id === 1) throw new Error('fault')
        },
      })
    const { peer } = bench
    peer.send(peer.headers(1, REQUEST), peer.headers(3, REQUEST))
    t.strictSame(ran, [1, 3])
    bench.finish()
    t.end()
  })

  t.test('an owner that throws on being told does not keep the others from being told', (t) => {
    const bench = ClientBench.ready()
    const calls = [
      bench.open(false, {
        hook: () => {
          throw new Error('owner')
        },
      }),
      bench.open(),
    ]
    t.doesNotThrow(() => bench.transport.close())
    t.strictSame(
      calls.map((call) => call.closedTimes),
      [1, 1],
    )
    t.equal(bench.events.length, 1)
    bench.finish()
    t.end()
  })

  t.test('the error names its rule, and travels as cause', (t) => {
    const bench = ServerBench.ready()
    bench.peer.send(bench.peer.frame(0x6, 0, 0, '00'))
    t.type(bench.ended, TransportClosed)
    t.type(bench.ended?.cause, Http2Error)
    t.match(bench.ended?.cause, { token: 'ping_length', code: ErrorCode.FRAME_SIZE_ERROR })
    bench.finish()
    t.end()
  })

  t.test('the peer gets its grace to read the GOAWAY', (t) => {
    const bench = ServerBench.ready()
    bench.peer.send(bench.peer.frame(0x6, 0, 0, '00'))
    t.equal(bench.wire.state, 'closing')
    bench.peer.send(bench.peer.ping())
    bench.peer.expect(GOAWAY)
    bench.advance(999)
    t.equal(bench.wire.state, 'closing')
    bench.advance(1)
    t.equal(bench.wire.state, 'gone')
    bench.finish()
    t.end()
  })

  t.test('GOAWAY never names a higher last stream than the one before', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    peer.send(peer.headers(1, REQUEST))
    bench.transport.drain()
    peer.send(peer.ping('0106010800030309', true))
    peer.take()
    peer.send(peer.headers(3, REQUEST), peer.frame(0x6, 0, 0, '00'))
    peer.expect(/^GOAWAY stream=0 length=\d+ last=1 FRAME_SIZE_ERROR/)
    bench.finish()
    t.end()
  })

  t.test('ping measures a round trip, and is told of the end', async (t) => {
    const simulation = new Simulation({
      server: { onStream: () => new RecordingStream() },
      line: { latencyMs: 20 },
    })
    simulation.advance(100)
    const answered = Promise.all([simulation.client.ping(), simulation.server.ping()])
    simulation.advance(100)
    t.strictSame(await answered, [40, 40])
    const unanswered = simulation.client.ping()
    simulation.client.close('bye')
    await t.rejects(unanswered, { message: 'memory: bye' })
    await t.rejects(simulation.client.ping(), { message: 'memory: bye' })
    simulation.advance(2000)
    simulation.close()
  })

  t.test('a transport that was never started or whose wire is gone is harmless', (t) => {
    const clock = new FakeClock()
    const wire = new MemoryWire(clock)
    const transport = new ServerTransport(wire, MEMORY_PEER, {
      clock,
      onStream: () => new RecordingStream(),
    })
    wire.fail()
    wire.start(transport.start())
    wire.drive()
    transport.close()
    transport.drain()
    t.equal(clock.pending, 0)
    t.end()
  })
  t.end()
})
