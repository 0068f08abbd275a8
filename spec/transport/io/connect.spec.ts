import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { FakeClock } from '../../../lib/testing/index.ts'
import type { TransportAddress } from '../../../lib/transport/io/address.ts'
import { type ConnectSocketOptions, connectSocket } from '../../../lib/transport/io/connect.ts'
import { AlpnError, type ClientTlsOptions, secureContext } from '../../../lib/transport/io/tls.ts'
import { ca, clientIdentity, otherCa, serverIdentity } from '../../support/certs.ts'
import { handlesBackTo, openHandles } from '../../support/handles.ts'
import { WireRecorder } from '../../support/wire-recorder.ts'

interface Origin {
  readonly address: { host: string; port: number }
  readonly sockets: Socket[]
}

/** Answers each chunk of the sockets of `event` with itself, and half-closes when the client does. */
async function serve(t: Test, server: Server, event = 'none'): Promise<Origin> {
  const sockets: Socket[] = []
  server.on('connection', (socket: Socket) => sockets.push(socket))
  server.on(event, (socket: Socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => socket.write(chunk))
    socket.on('end', () => socket.end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = server.address() as AddressInfo
  return { address: { host: '127.0.0.1', port }, sockets }
}

function echo(t: Test): Promise<Origin> {
  return serve(t, createServer({ allowHalfOpen: true }), 'connection')
}

function tlsEcho(t: Test, options: TlsOptions = {}): Promise<Origin> {
  const server = createTlsServer({
    ...serverIdentity,
    ALPNProtocols: ['h2'],
    ...options,
  })
  server.on('tlsClientError', () => {})
  return serve(t, server, 'secureConnection')
}

/** A server that accepts and says nothing. */
function mute(t: Test): Promise<Origin> {
  const server = createServer((socket) => socket.resume().on('error', () => {}))
  return serve(t, server)
}

async function roundTrip(
  address: TransportAddress,
  options: Omit<ConnectSocketOptions, 'clock'>,
  text: string,
): Promise<Awaited<ReturnType<typeof connectSocket>>> {
  const clock = new FakeClock()
  const connected = await connectSocket(address, { clock, ...options })
  const events = new WireRecorder()
  connected.wire.start(events)
  connected.wire.write(Buffer.from(text))
  await events.until((seen) => seen.received.length >= text.length)
  if (events.text !== text) throw new Error(`got ${events.text}`)
  connected.wire.close(1000)
  await events.done()
  if (events.error !== undefined) throw events.error
  if (clock.pending !== 0) throw new Error('a timer is left')
  return connected
}

t.test('TCP', async (t) => {
  const { address, sockets } = await echo(t)
  const { peer } = await roundTrip(address, {}, 'hello')
  t.equal(peer.address, `127.0.0.1:${address.port}`)
  t.match(peer.localAddress, /^127\.0\.0\.1:\d+$/)
  t.equal(peer.tls, undefined)
  t.equal(sockets.length, 1)
})

t.test('a host name that has several addresses', async (t) => {
  const { address } = await echo(t)
  await roundTrip({ host: 'localhost', port: address.port }, {}, 'hello')
  const secure = await tlsEcho(t)
  await roundTrip({ host: 'localhost', port: secure.address.port }, { tls: { ca } }, 'hello')
})

t.test('a local address of choice', async (t) => {
  const { address } = await echo(t)
  const { peer } = await roundTrip(address, { localAddress: '127.0.0.2' }, 'hello')
  t.match(peer.localAddress, /^127\.0\.0\.2:/)
})

t.test('Unix sockets, in the file system and abstract', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'framewright-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const abstract = `\0${dir}`
  for (const [path, name] of [
    [`${dir}/s`, `unix:${dir}/s`],
    [abstract, `unix-abstract:${dir}`],
  ] as const) {
    const server = createServer((socket) => socket.pipe(socket))
    await new Promise<void>((resolve) => server.listen(path, resolve))
    const { peer } = await roundTrip({ path }, {}, 'hello')
    t.strictSame(peer, { address: name, localAddress: 'unix:' })
    server.close()
  }
})

t.test('large transfers through the common read buffer, several sockets at once', async (t) => {
  const { address } = await echo(t)
  const secure = await tlsEcho(t)
  const clock = new FakeClock()
  const sent = ['a', 'b', 'c'].map((letter) => Buffer.alloc(1_000_000, letter))
  await Promise.all(
    sent.flatMap((bytes) =>
      [{}, { tls: { ca } }].map(async (options) => {
        const { wire } = await connectSocket('tls' in options ? secure.address : address, {
          clock,
          ...options,
        })
        const events = new WireRecorder()
        wire.start(events)
        wire.write(bytes)
        await events.until((seen) => seen.received.length === bytes.length)
        t.equal(events.received.equals(bytes), true)
        wire.close(0)
      }),
    ),
  )
})

t.test('what the server sends before start is kept for it, over TCP and TLS', async (t) => {
  for (const options of [{}, { tls: { ca } }]) {
    const greeter =
      'tls' in options
        ? createTlsServer({ ...serverIdentity, ALPNProtocols: ['h2'], allowHalfOpen: true })
        : createServer({ allowHalfOpen: true })
    const greeting = 'first '.repeat(30_000)
    greeter.on('tls' in options ? 'secureConnection' : 'connection', (socket: Socket) => {
      socket.end(greeting)
    })
    const { address, sockets } = await serve(t, greeter)
    const { wire } = await connectSocket(address, { clock: new FakeClock(), ...options })
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve))
    const events = new WireRecorder()
    wire.start(events)
    await events.until((seen) => seen.log.includes('ended'))
    t.equal(events.text === greeting, true)
    wire.close(0)
    for (const socket of sockets) socket.destroy()
  }
})

t.test('reading pauses and resumes on a socket with the common buffer', async (t) => {
  for (const options of [{}, { tls: { ca } }]) {
    const { address } = await ('tls' in options ? tlsEcho(t) : echo(t))
    const { wire } = await connectSocket(address, { clock: new FakeClock(), ...options })
    const events = new WireRecorder()
    wire.start(events)
    events.hook = (kind) => kind === 'receive' && wire.pauseReading()
    wire.write(Buffer.alloc(500_000, 'p'))
    await events.until((seen) => seen.received.length > 0)
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve))
    t.ok(events.received.length <= 64 * 1024, `${events.received.length} octets while paused`)
    events.hook = () => {}
    wire.resumeReading()
    await events.until((seen) => seen.received.length === 500_000)
    wire.close(0)
    await events.done()
  }
})

t.test('a socket of the common buffer is told of its end and of a reset', async (t) => {
  for (const options of [{}, { tls: { ca } }]) {
    const { address, sockets } = await ('tls' in options ? tlsEcho(t) : echo(t))
    const { wire } = await connectSocket(address, { clock: new FakeClock(), ...options })
    const events = new WireRecorder()
    wire.start(events)
    wire.write(Buffer.from('x'))
    await events.until((seen) => seen.text === 'x')
    sockets[0]!.resetAndDestroy()
    await events.done()
    t.match(events.error, { code: 'ECONNRESET' })
    t.equal(events.count('closed'), 1)
  }
})

t.test('a fault of the connection on the common buffer closes its wire alone', async (t) => {
  const { address } = await echo(t)
  const { wire } = await connectSocket(address, { clock: new FakeClock() })
  const events = new WireRecorder()
  events.hook = (kind) => {
    if (kind === 'receive') throw new Error('bug')
  }
  wire.start(events)
  wire.write(Buffer.from('x'))
  await events.done()
  t.match(events.error, { message: 'bug' })
  await roundTrip(address, {}, 'the next one works')
})

t.test('failures say where and why, and leave nothing behind', async (t) => {
  const silent = await mute(t)
  const closed = createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
  const { port } = closed.address() as AddressInfo
  await new Promise((resolve) => closed.close(resolve))
  const h1 = await tlsEcho(t, { ALPNProtocols: ['http/1.1'] })
  const noAlpn = await serve(t, createTlsServer(serverIdentity), 'secureConnection')
  const secure = await tlsEcho(t)
  const plain = await echo(t)
  const refused = { host: '127.0.0.1', port }
  const before = openHandles()

  const fails = async (
    t: Test,
    address: TransportAddress,
    options: Omit<ConnectSocketOptions, 'clock'>,
    expected: object,
    drive: (clock: FakeClock) => void = () => {},
  ): Promise<void> => {
    const clock = new FakeClock()
    const connecting = connectSocket(address, { clock, ...options })
    drive(clock)
    await t.rejects(connecting, { name: 'TransportClosed', ...expected })
    t.equal(clock.pending, 0, 'no timer')
    await handlesBackTo(before)
  }

  t.test('a port that nobody listens at', (t) =>
    fails(
      t,
      refused,
      {},
      {
        address: `127.0.0.1:${port}`,
        message: `127.0.0.1:${port}: connect_failed: connect ECONNREFUSED 127.0.0.1:${port}`,
        cause: { code: 'ECONNREFUSED' },
      },
    ),
  )
  t.test('the same over TLS', (t) =>
    fails(t, refused, { tls: {} }, { cause: { code: 'ECONNREFUSED' } }),
  )
  t.test('a name whose addresses all refuse', (t) =>
    fails(t, { host: 'localhost', port }, {}, { message: /connect_failed: .*ECONNREFUSED/ }),
  )
  t.test('a name that does not exist', (t) =>
    fails(t, { host: 'nowhere.invalid', port: 1 }, {}, { message: /connect_failed: getaddrinfo/ }),
  )
  t.test('a Unix path that is not there', (t) =>
    fails(
      t,
      { path: '/nowhere/s' },
      {},
      {
        address: 'unix:/nowhere/s',
        cause: { code: 'ENOENT' },
      },
    ),
  )
  t.test('a TLS handshake that is not answered', (t) =>
    fails(
      t,
      silent.address,
      { tls: {}, timeoutMs: 50 },
      { message: /connect_timeout: not connected after 50 ms/ },
      (clock) => clock.advance(50),
    ),
  )
  t.test('a signal that is aborted', async (t) => {
    const abort = new AbortController()
    await fails(
      t,
      silent.address,
      { tls: {}, signal: abort.signal },
      { message: /connect_aborted/, cause: { message: 'enough' } },
      () => abort.abort(new Error('enough')),
    )
    await fails(t, silent.address, { signal: abort.signal, timeoutMs: 50 }, { message: /aborted/ })
  })
  t.test('a server that hangs up within the handshake', (t) =>
    fails(t, silent.address, { tls: {} }, { message: /connect_failed: / }, () => {
      const hangUp = (): void => {
        const last = silent.sockets.at(-1)
        if (last === undefined || last.destroyed) setImmediate(hangUp)
        else last.destroy()
      }
      hangUp()
    }),
  )
  t.test('a server that does not speak TLS', (t) =>
    fails(t, plain.address, { tls: { ca } }, { message: /connect_failed: / }),
  )
  t.test('a certificate of an unknown root', (t) =>
    fails(t, secure.address, { tls: { ca: otherCa } }, { message: /unable to verify|self.signed/ }),
  )
  t.test('a certificate for another name', (t) =>
    fails(
      t,
      secure.address,
      { tls: { ca, serverName: 'example.org' } },
      {
        cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
      },
    ),
  )
  t.test('a check of the server that refuses, by return or by throw', async (t) => {
    for (const checkServerIdentity of [
      () => new Error('not him'),
      () => {
        throw new Error('not him')
      },
    ]) {
      await fails(t, secure.address, { tls: { ca, checkServerIdentity } }, { message: /not him/ })
    }
  })
  t.test('a server that chose another protocol or none', async (t) => {
    await fails(t, h1.address, { tls: { ca } }, {})
    await fails(
      t,
      noAlpn.address,
      { tls: { ca } },
      {
        message: /alpn_failed/,
        cause: {
          token: 'alpn_not_h2',
          message: 'alpn_not_h2: the peer chose no protocol, want h2',
        },
      },
    )
  })
  t.test('a server that is limited to TLS 1.1', async (t) => {
    const old = await tlsEcho(t, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL' })
    const connecting = connectSocket(old.address, { clock: new FakeClock(), tls: { ca } })
    await t.rejects(connecting, { name: 'TransportClosed', message: /version|handshake/ })
  })
  t.test('a stream that closes while TLS is shaken over it', async (t) => {
    const socket = connect(silent.address.port, silent.address.host)
    await fails(t, silent.address, { tls: {}, socket }, {}, () => socket.destroy())
  })
})

t.test('keys that cannot be used are the caller’s fault', async (t) => {
  const before = openHandles()
  const tls = { cert: 'none', key: 'none' }
  await t.rejects(connectSocket({ host: '127.0.0.1', port: 1 }, { clock: new FakeClock(), tls }), {
    name: 'TransportUsageError',
    token: 'tls_identity_invalid',
  })
  await handlesBackTo(before)
})

t.test('TLS', async (t) => {
  const { address } = await tlsEcho(t, { requestCert: true, rejectUnauthorized: false, ca })
  const connectWith = (tls: ClientTlsOptions) => roundTrip(address, { tls }, 'hello')

  t.test('the peer is described', async (t) => {
    const clock = new FakeClock()
    const { wire, peer } = await connectSocket(address, { clock, tls: { ca } })
    t.match(peer.tls, {
      protocol: 'TLSv1.3',
      cipher: /^TLS_/,
      authorized: true,
      certificate: {
        subject: { CN: 'localhost' },
        issuer: { CN: 'framewright ca' },
        subjectAltName: /DNS:localhost/,
        fingerprint256: /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/,
        validTo: /2074/,
      },
    })
    t.type(peer.tls?.certificate?.raw, Buffer)
    t.equal(peer.tls?.certificate, peer.tls?.certificate)
    const events = new WireRecorder()
    wire.start(events)
    wire.close(0)
    await events.done()
    t.equal(peer.tls?.authorized, true, 'also after the end')
    t.match(peer.tls?.certificate, { subject: { CN: 'localhost' } })
  })

  t.test('by a name that the certificate has', () =>
    connectWith({ ca, serverName: 'a.example.test' }),
  )
  t.test('by an IP address in place of the name', async () => {
    const byName = { ...address, host: 'localhost' }
    await roundTrip(byName, { tls: { ca, serverName: '127.0.0.1' } }, 'hello')
  })
  t.test('with a prepared context', () => connectWith({ secureContext: secureContext({ ca }) }))
  t.test('with TLS 1.2', async (t) => {
    const old = await tlsEcho(t, { maxVersion: 'TLSv1.2' })
    const { peer } = await roundTrip(old.address, { tls: { ca } }, 'hello')
    t.match(peer.tls, { protocol: 'TLSv1.2', cipher: /ECDHE.*(GCM|POLY1305)/ })
  })
  t.test('without a check, on request', async (t) => {
    const { peer } = await connectWith({ rejectUnauthorized: false })
    t.equal(peer.tls?.authorized, false)
  })
  t.test('with a check of one’s own', async (t) => {
    const seen: unknown[] = []
    await connectWith({
      ca,
      serverName: 'any.name',
      checkServerIdentity: (name, certificate) => {
        seen.push(name, certificate.subject['CN'])
        return undefined
      },
    })
    t.strictSame(seen, ['any.name', 'localhost'])
  })
  t.test('with a client certificate', async (t) => {
    const strict = await tlsEcho(t, { requestCert: true, ca })
    await roundTrip(strict.address, { tls: { ca, ...clientIdentity } }, 'hello')
  })
})

t.test('a stream that was handed in is taken over', async (t) => {
  t.test('as it is', async (t) => {
    const duplex = new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        this.push(chunk)
        done()
      },
      final(done) {
        this.push(null)
        done()
      },
    })
    const { peer } = await roundTrip({ host: 'far.test', port: 443 }, { socket: duplex }, 'hello')
    t.strictSame(peer, { address: 'far.test:443', localAddress: '' })
    t.equal(duplex.destroyed, true)
  })
  t.test('a socket that is still connecting', async (t) => {
    const { address } = await echo(t)
    const socket = connect({ ...address, allowHalfOpen: true })
    await roundTrip(address, { socket }, 'hello')
    t.equal(socket.destroyed, true)
  })
  t.test('with TLS over it', async (t) => {
    const { address } = await tlsEcho(t)
    const socket = connect({ ...address, allowHalfOpen: true })
    const { peer } = await roundTrip(
      address,
      { socket, tls: { ca, serverName: 'localhost' } },
      'hi',
    )
    t.equal(peer.tls?.authorized, true)
    t.equal(socket.destroyed, true)
  })
  t.test('TLS over a Duplex that is no socket', async (t) => {
    const { address } = await tlsEcho(t)
    const socket = connect({ ...address, allowHalfOpen: true })
    const tunnel = new Duplex({
      read() {
        socket.resume()
      },
      write: (chunk, _encoding, done) => void socket.write(chunk, done),
      final: (done) => void socket.end(done),
      destroy(error, done) {
        socket.destroy()
        done(error)
      },
    })
    socket.on('data', (chunk) => tunnel.push(chunk) || socket.pause())
    socket.on('end', () => tunnel.push(null))
    socket.on('error', (error) => tunnel.destroy(error))
    await roundTrip(address, { socket: tunnel, tls: { ca, serverName: 'localhost' } }, 'hello')
    t.equal(tunnel.destroyed, true)
  })
})

t.test('AlpnError says what came', (t) => {
  t.match(new AlpnError('http/1.1'), { token: 'alpn_not_h2', message: /chose http\/1.1, want h2/ })
  t.end()
})
