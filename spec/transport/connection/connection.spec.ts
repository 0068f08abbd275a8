// What concerns a connection as a whole: the handshake, and settings both ways.
import t from 'tap'
import { Setting } from '../../../lib/frame/index.ts'
import { FakeClock, MEMORY_PEER, MemoryWire } from '../../../lib/testing/index.ts'
import { ClientTransport } from '../../../lib/transport/index.ts'
import { RecordingStream } from '../../support/recording-stream.ts'
import { ClientBench, REQUEST, ServerBench } from '../../support/transport-bench.ts'

t.test('the handshake', (t) => {
  t.test(
    'a client sends preface, SETTINGS and the window, and is ready at the first SETTINGS',
    (t) => {
      const wire = new MemoryWire()
      const events: string[] = []
      const client = new ClientTransport(wire, MEMORY_PEER, {
        clock: new FakeClock(),
        listener: { onReady: () => events.push('ready') },
      })
      wire.start(client.start())
      wire.drive()
      t.equal(wire.sent.toString('latin1', 0, 24), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
      t.equal(wire.sends.length, 1, 'all in one write')
      t.notOk(client.canOpen)
      const bench = new ClientBench()
      bench.peer.expect(
        'SETTINGS stream=0 length=12 ENABLE_PUSH=0 MAX_HEADER_LIST_SIZE=16384',
        'WINDOW_UPDATE stream=0 length=4 +983041',
      )
      bench.peer.send(bench.peer.settings())
      t.strictSame(bench.events, ['ready'])
      t.ok(bench.transport.canOpen)
      bench.peer.expect('SETTINGS stream=0 length=0 flags=ACK')
      bench.finish()
      t.end()
    },
  )

  t.test('a server announces its limits', (t) => {
    const bench = new ServerBench({
      maxConcurrentStreams: 7,
      initialStreamWindowBytes: 100_000,
      headerTableBytes: 0,
      maxFrameBytes: 20_000,
    })
    bench.peer.expect(
      'SETTINGS stream=0 length=30 MAX_CONCURRENT_STREAMS=7 HEADER_TABLE_SIZE=0 ' +
        'INITIAL_WINDOW_SIZE=100000 MAX_FRAME_SIZE=20000 MAX_HEADER_LIST_SIZE=16384',
      'WINDOW_UPDATE stream=0 length=4 +983041',
    )
    bench.finish()
    t.end()
  })

  const wrongPrefaces: Record<string, (bench: ServerBench) => Buffer | string> = {
    'HTTP/1.1': () => Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    'a preface with a wrong last octet': () => Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r '),
    zeros: () => '00 00 00',
  }
  for (const [name, octets] of Object.entries(wrongPrefaces)) {
    t.test(`a server refuses ${name}`, (t) => {
      const bench = new ServerBench()
      bench.peer.take()
      bench.peer.send(octets(bench))
      bench.peer.expect(/^GOAWAY .* PROTOCOL_ERROR "preface_invalid: /)
      bench.finish()
      t.end()
    })
  }

  t.test('the preface may come in any pieces', (t) => {
    const bench = new ServerBench()
    for (const octet of bench.peer.preface()) bench.peer.send(Buffer.of(octet))
    bench.peer.take()
    bench.peer.send(bench.peer.settings())
    bench.peer.expect('SETTINGS stream=0 length=0 flags=ACK')
    bench.finish()
    t.end()
  })

  const firstFrames: Record<string, (bench: ServerBench | ClientBench) => Buffer> = {
    'a SETTINGS ACK': ({ peer }) => peer.settingsAck(),
    PING: ({ peer }) => peer.ping(),
    HEADERS: ({ peer }) => peer.headers(1, REQUEST),
    WINDOW_UPDATE: ({ peer }) => peer.windowUpdate(0, 1),
    'a frame of unknown type': ({ peer }) => peer.frame(0x55, 0, 0),
  }
  for (const [name, frame] of Object.entries(firstFrames)) {
    t.test(`${name} as first frame ends the connection, in both roles`, (t) => {
      for (const bench of [new ServerBench(), new ClientBench()]) {
        bench.peer.take()
        const preface = bench instanceof ServerBench ? bench.peer.preface() : Buffer.alloc(0)
        bench.peer.send(preface, frame(bench))
        bench.peer.expect(/^GOAWAY .* last=0 PROTOCOL_ERROR "first_frame_not_settings: /)
        bench.finish()
      }
      t.end()
    })
  }

  t.test('a peer that says nothing is given up after the handshake timeout', (t) => {
    for (const bench of [new ServerBench(), new ClientBench()]) {
      bench.peer.take()
      bench.advance(19_999)
      bench.peer.expect()
      bench.advance(1)
      bench.peer.expect(/^GOAWAY .* PROTOCOL_ERROR "handshake_timeout: /)
      bench.advance(1000)
      t.equal(bench.wire.state, 'gone', 'after the grace')
      bench.finish()
    }
    t.end()
  })

  t.test('a peer that never acknowledges our SETTINGS is given up', (t) => {
    for (const bench of [new ServerBench(), new ClientBench()]) {
      if (bench instanceof ServerBench) bench.peer.send(bench.peer.preface())
      bench.peer.send(bench.peer.settings())
      bench.peer.take()
      bench.advance(9999)
      bench.peer.expect()
      bench.advance(1)
      bench.peer.expect(/^GOAWAY .* SETTINGS_TIMEOUT "settings_ack_timeout: /)
      bench.finish()
    }
    t.end()
  })

  t.test('an ACK for which there were no SETTINGS ends the connection', (t) => {
    for (const bench of [ServerBench.ready(), ClientBench.ready()]) {
      bench.peer.send(bench.peer.settingsAck())
      bench.peer.expect(/^GOAWAY .* PROTOCOL_ERROR "settings_ack_unexpected: /)
      bench.finish()
    }
    t.end()
  })
  t.end()
})

t.test('the peer’s settings', (t) => {
  t.test('are applied in order and acknowledged in the same step', (t) => {
    const bench = ClientBench.ready()
    bench.peer.send(
      bench.peer.settings([
        [Setting.INITIAL_WINDOW_SIZE, 1],
        [Setting.INITIAL_WINDOW_SIZE, 5],
        [0x99, 1],
      ]),
    )
    bench.peer.expect('SETTINGS stream=0 length=0 flags=ACK')
    t.equal(bench.transport.settings.initialWindowBytes, 5)
    const { stream } = bench.open()
    stream.data(Buffer.alloc(10), 0, 10, true)
    bench.peer.expect('HEADERS stream=1', 'DATA stream=1 length=5 data=5')
    bench.peer.send(bench.peer.settings([[Setting.INITIAL_WINDOW_SIZE, 8]]))
    bench.peer.expect('SETTINGS stream=0 length=0 flags=ACK', 'DATA stream=1 length=3 data=3')
    bench.finish()
    t.end()
  })

  t.test('a smaller window takes back what was granted, below zero', (t) => {
    const bench = ClientBench.ready({}, { settings: [[Setting.INITIAL_WINDOW_SIZE, 100]] })
    const { stream } = bench.open()
    stream.data(Buffer.alloc(500), 0, 500, true)
    bench.peer.expect('HEADERS stream=1', 'DATA stream=1 length=100')
    bench.peer.send(bench.peer.settings([[Setting.INITIAL_WINDOW_SIZE, 10]]))
    t.equal(stream.sendWindowBytes, -90)
    bench.peer.send(bench.peer.windowUpdate(1, 90))
    bench.peer.expect('SETTINGS')
    bench.peer.send(bench.peer.windowUpdate(1, 1))
    bench.peer.expect('DATA stream=1 length=1')
    bench.peer.send(bench.peer.settings([[Setting.INITIAL_WINDOW_SIZE, 0]]))
    bench.peer.send(bench.peer.settings([[Setting.INITIAL_WINDOW_SIZE, 1000]]))
    bench.peer.expect('SETTINGS', 'SETTINGS', /^DATA stream=1 length=399 flags=END_STREAM/)
    bench.finish()
    t.end()
  })

  t.test('an empty end of a stream is sent although the window is negative', (t) => {
    const bench = ClientBench.ready({}, { settings: [[Setting.INITIAL_WINDOW_SIZE, 10]] })
    const { stream } = bench.open()
    stream.data(Buffer.alloc(10), 0, 10, false)
    bench.peer.send(bench.peer.settings([[Setting.INITIAL_WINDOW_SIZE, 0]]))
    t.equal(stream.sendWindowBytes, -10)
    bench.peer.take()
    stream.data(Buffer.alloc(0), 0, 0, true)
    bench.peer.expect('DATA stream=1 length=0 flags=END_STREAM')
    bench.finish()
    t.end()
  })

  t.test('a window moved beyond 2^31-1 ends the connection', (t) => {
    const bench = ClientBench.ready()
    bench.open()
    bench.peer.send(bench.peer.windowUpdate(1, 0x7fff_ffff - 65_535))
    bench.peer.take()
    bench.peer.send(bench.peer.settings([[Setting.INITIAL_WINDOW_SIZE, 65_536]]))
    bench.peer.expect(/^GOAWAY .* FLOW_CONTROL_ERROR "initial_window_overflow: /)
    bench.finish()
    t.end()
  })

  const illegal: readonly (readonly [number, number, string])[] = [
    [Setting.ENABLE_PUSH, 2, 'PROTOCOL_ERROR'],
    [Setting.ENABLE_PUSH, 0xffff_ffff, 'PROTOCOL_ERROR'],
    [Setting.INITIAL_WINDOW_SIZE, 0x8000_0000, 'FLOW_CONTROL_ERROR'],
    [Setting.MAX_FRAME_SIZE, 0, 'PROTOCOL_ERROR'],
    [Setting.MAX_FRAME_SIZE, 16_383, 'PROTOCOL_ERROR'],
    [Setting.MAX_FRAME_SIZE, 0x0100_0000, 'PROTOCOL_ERROR'],
  ]
  t.test('out of range end the connection, and open streams with it', (t) => {
    for (const [id, value, code] of illegal) {
      const client = ClientBench.ready()
      const call = client.open()
      client.peer.take()
      client.peer.send(client.peer.settings([[id, value]]))
      client.peer.expect(new RegExp(`^GOAWAY .* ${code} "settings_`))
      t.match(call.log, ['closed by=transport local NO_ERROR'], `${id}=${value}`)
      client.finish()
      const server = ServerBench.ready()
      server.peer.send(server.peer.settings([[id, value]]))
      server.peer.expect(new RegExp(`^GOAWAY .* ${code} "settings_`))
      server.finish()
    }
    t.end()
  })

  t.test('ENABLE_PUSH 1 is for clients only', (t) => {
    const client = ClientBench.ready()
    client.peer.send(client.peer.settings([[Setting.ENABLE_PUSH, 1]]))
    client.peer.expect(/^GOAWAY .* PROTOCOL_ERROR "enable_push_by_server: /)
    client.finish()
    const server = ServerBench.ready()
    server.peer.send(server.peer.settings([[Setting.ENABLE_PUSH, 1]]))
    server.peer.expect('SETTINGS')
    server.finish()
    t.end()
  })

  t.test('HEADER_TABLE_SIZE is obeyed by the next block', (t) => {
    const bench = ClientBench.ready()
    const fields = [...REQUEST, 'x-a', 'b']
    bench.transport.openStream(fields, new RecordingStream())
    bench.peer.expect(/^HEADERS stream=1 .*x-a: b/)
    bench.peer.send(bench.peer.settings([[Setting.HEADER_TABLE_SIZE, 0]]))
    bench.wire.drive()
    const sent = bench.wire.takeSent()
    t.equal(sent.length, 9, 'the ACK alone')
    bench.transport.openStream(fields, new RecordingStream())
    bench.wire.drive()
    const block = bench.wire.takeSent().subarray(9)
    t.equal(block[0], 0x20, 'a size update to 0')
    bench.finish()
    t.end()
  })

  t.test('a peer with a 4 GiB table gets no more than ours from our encoder', (t) => {
    const bench = ClientBench.ready({}, { settings: [[Setting.HEADER_TABLE_SIZE, 0xffff_ffff]] })
    for (let i = 0; i < 50; i++) {
      bench.transport.openStream([...REQUEST, `x-${i}`, 'v'.repeat(200)], new RecordingStream())
    }
    const lines = bench.peer.take()
    t.equal(lines.length, 50)
    t.notMatch(lines, /undecodable/, 'the peer, whose table has 4096 octets, reads all')
    bench.finish()
    t.end()
  })

  t.test('MAX_FRAME_SIZE bounds header blocks, and DATA stays in turns of 16 KiB', (t) => {
    const bench = ClientBench.ready({}, { settings: [[Setting.MAX_FRAME_SIZE, 20_000]] })
    const { stream } = bench.open()
    stream.data(Buffer.alloc(40_000), 0, 40_000, true)
    bench.peer.expect(
      'HEADERS stream=1',
      'DATA stream=1 length=16384',
      'DATA stream=1 length=16384',
      'DATA stream=1 length=7232 flags=END_STREAM',
    )
    const noise = Array.from({ length: 25_000 }, (_, i) => '~{}|'[(i * i) % 4]).join('')
    bench.transport.openStream([...REQUEST, 'x-big', noise], new RecordingStream())
    bench.peer.expect(
      'HEADERS stream=3 length=20000 block=20000',
      /^CONTINUATION stream=3 .* flags=END_HEADERS .*x-big/,
    )
    bench.finish()
    t.end()
  })

  t.test('MAX_HEADER_LIST_SIZE keeps a larger list from being sent', (t) => {
    const bench = ClientBench.ready({}, { settings: [[Setting.MAX_HEADER_LIST_SIZE, 200]] })
    const small = bench.open()
    const large = new RecordingStream()
    large.stream = bench.transport.openStream([...REQUEST, 'x', 'y'.repeat(100)], large)
    t.strictSame(large.log, [
      'closed by=reset local INTERNAL_ERROR unprocessed header_list_too_large_to_send',
    ])
    bench.peer.expect('HEADERS stream=1')
    small.stream.data(Buffer.from('x'), 0, 1, false)
    small.stream.trailers(['z', 'z'.repeat(200)])
    bench.peer.expect('DATA stream=1', 'RST_STREAM stream=1 length=4 INTERNAL_ERROR')
    t.match(small.log, ['closed by=reset local INTERNAL_ERROR header_list_too_large_to_send'])
    bench.assertQuiet()
    bench.finish()
    t.end()
  })

  t.test('MAX_FRAME_SIZE of ours is enforced', (t) => {
    for (const bench of [ServerBench.ready(), ClientBench.ready()]) {
      bench.peer.send(bench.peer.frame(0x0, 0, 1, Buffer.alloc(16_385)))
      bench.peer.expect(/^GOAWAY .* FRAME_SIZE_ERROR "frame_too_large: /)
      bench.finish()
    }
    t.end()
  })
  t.end()
})

t.test('our settings hold for the peer only from its ACK on', (t) => {
  t.test('a small stream window does not punish what was sent before', (t) => {
    const bench = new ServerBench({ initialStreamWindowBytes: 1024 })
    const { peer } = bench
    peer.send(peer.preface(), peer.settings())
    peer.send(peer.headers(1, REQUEST), peer.data(1, Buffer.alloc(16_384)))
    peer.send(peer.data(1, Buffer.alloc(16_384)))
    t.strictSame(bench.last.log, ['request /s/m', 'data 32768'])
    peer.send(peer.settingsAck(), peer.headers(3, REQUEST))
    peer.take()
    peer.send(peer.data(3, Buffer.alloc(1025)))
    peer.expect('RST_STREAM stream=3 length=4 FLOW_CONTROL_ERROR')
    bench.finish()
    t.end()
  })

  t.test('a small header table does not break blocks sent before', (t) => {
    const bench = new ServerBench({ headerTableBytes: 0 })
    const { peer } = bench
    peer.send(peer.preface(), peer.settings())
    const fields = [...REQUEST, 'x-a', 'b']
    peer.send(peer.headers(1, fields), peer.headers(3, fields))
    t.equal(bench.served.length, 2)
    peer.encoder.setPeerMaxTableBytes(0)
    peer.send(peer.settingsAck(), peer.headers(5, fields), peer.headers(7, fields))
    t.equal(bench.served.length, 4)
    t.strictSame(bench.last.block.fields, fields)
    bench.finish()
    t.end()
  })

  t.test('a peer that ignores a smaller table is refused', (t) => {
    const bench = ServerBench.ready({ headerTableBytes: 0 })
    bench.peer.send(bench.peer.headers(1, [...REQUEST, 'x-a', 'b']))
    bench.peer.expect(/^GOAWAY .* COMPRESSION_ERROR "size_update_missing: /)
    bench.finish()
    t.end()
  })

  t.test('a large header table may be used after its ACK', (t) => {
    const bench = ServerBench.ready({ headerTableBytes: 65_536, maxHeaderListBytes: 100_000 })
    const { peer } = bench
    // size update to 65,536: 3f e1 ff 03
    const block = Buffer.concat([Buffer.from('3fe1ff03', 'hex'), peer.block(REQUEST)])
    peer.send(peer.headers(1, block))
    t.equal(bench.served.length, 1)
    bench.assertAlive()
    bench.finish()
    t.end()
  })
  t.end()
})
