import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, get, type IncomingMessage, request } from 'node:http'
import { get as httpsGet } from 'node:https'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { connect as tlsConnect } from 'node:tls'
import t, { type Test } from 'tap'
import { FakeClock } from '../../../lib/testing/index.ts'
import { formatTransportAddress, type TransportAddress } from '../../../lib/transport/io/address.ts'
import { connectSocket } from '../../../lib/transport/io/connect.ts'
import {
  type ListenDescriptor,
  type Listener,
  type ListenSocketOptions,
  listenSocket,
} from '../../../lib/transport/io/listen.ts'
import { CLIENT_PREFACE } from '../../../lib/transport/io/sniff.ts'
import type { SocketWire } from '../../../lib/transport/io/socket-wire.ts'
import { type ClientTlsOptions, secureContext } from '../../../lib/transport/io/tls.ts'
import type { Peer } from '../../../lib/transport/io/wire.ts'
import { ca, clientIdentity, otherCa, serverIdentity } from '../../support/certs.ts'
import { handlesBackTo, openHandles } from '../../support/handles.ts'
import { WireRecorder } from '../../support/wire-recorder.ts'

const ANY_PORT = { host: '127.0.0.1', port: 0 }

interface Accepted {
  readonly wire: SocketWire
  readonly peer: Peer
  readonly events: WireRecorder
}

/** A listener that starts its wires, and hands out what it accepted and what it reported in turn. */
class Host {
  public readonly clock = new FakeClock()
  public readonly accepted = new Turns<Accepted>()
  public readonly errors = new Turns<Error>()
  public listener!: Listener

  public async listen(
    t: Test,
    address: TransportAddress | ListenDescriptor,
    options: Omit<ListenSocketOptions, 'clock'> = {},
  ): Promise<this> {
    const wires: SocketWire[] = []
    const common = { clock: this.clock, onError: (error: Error) => this.errors.add(error) }
    this.listener = await listenSocket(address, { ...common, ...options }, (wire, peer) => {
      const events = new WireRecorder()
      wire.start(events)
      wires.push(wire)
      this.accepted.add({ wire, peer, events })
    })
    t.teardown(async () => {
      await this.listener.close()
      for (const wire of wires) wire.close(0)
    })
    return this
  }

  public get port(): number {
    return (this.listener.address as { port: number }).port
  }

  /** A plain client socket. */
  public dial(t: Test): Socket {
    const { address } = this.listener
    const socket = connect('path' in address ? { path: address.path } : address)
    socket.on('error', () => {})
    t.teardown(() => socket.destroy())
    return socket
  }
}

class Turns<T> {
  public readonly all: T[] = []
  private taken = 0
  private wake = (): void => {}

  public add(value: T): void {
    this.all.push(value)
    this.wake()
  }

  public async next(): Promise<T> {
    while (this.all.length === this.taken) {
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    return this.all[this.taken++]!
  }
}

function once(socket: Socket, event: string): Promise<unknown> {
  return new Promise((resolve) => socket.once(event, resolve))
}

function tempDir(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'framewright-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  return dir
}

t.test('TCP connections are handed on with their peers', async (t) => {
  const host = await new Host().listen(t, ANY_PORT)
  t.match(host.listener.address, { host: '127.0.0.1', port: Number })
  t.ok(host.port > 0)
  const clients = [host.dial(t), host.dial(t)]
  for (const client of clients) {
    client.write('hello')
    const { peer, events, wire } = await host.accepted.next()
    await events.until((seen) => seen.text === 'hello')
    t.strictSame(peer, {
      address: `127.0.0.1:${client.localPort}`,
      localAddress: `127.0.0.1:${host.port}`,
    })
    wire.write(Buffer.from('hi'))
    t.equal(String(await once(client, 'data')), 'hi')
  }
  t.equal(host.clock.pending, 0)
})

t.test('IPv4 over a dual-stack socket is shown as IPv4', async (t) => {
  const host = await new Host().listen(t, { host: '::', port: 0 })
  connect(host.port, '127.0.0.1')
    .on('error', () => {})
    .end()
  t.match((await host.accepted.next()).peer.address, /^127\.0\.0\.1:\d+$/)
})

t.test('Unix sockets', async (t) => {
  t.test('in the file system, which close tidies up', async (t) => {
    const path = `${tempDir(t)}/s`
    const host = await new Host().listen(t, { path })
    t.strictSame(host.listener.address, { path })
    host.dial(t)
    t.strictSame((await host.accepted.next()).peer, {
      address: 'unix:',
      localAddress: `unix:${path}`,
    })
    await host.listener.close()
    t.equal(existsSync(path), false)
  })

  t.test('abstract ones', async (t) => {
    const path = `\0framewright-${process.pid}`
    const host = await new Host().listen(t, { path })
    host.dial(t)
    t.match((await host.accepted.next()).peer, { localAddress: formatTransportAddress({ path }) })
  })

  t.test('the file of a dead process is replaced', async (t) => {
    const path = `${tempDir(t)}/s`
    await leaveStaleSocket(path)
    t.equal(existsSync(path), true)
    const host = await new Host().listen(t, { path })
    host.dial(t)
    await host.accepted.next()
  })

  t.test('a living one is left alone', async (t) => {
    const path = `${tempDir(t)}/s`
    const first = await new Host().listen(t, { path })
    await t.rejects(new Host().listen(t, { path }), {
      name: 'ListenError',
      cause: { code: 'EADDRINUSE' },
    })
    first.dial(t)
    await first.accepted.next()
  })

  t.test('a file that is no socket is left alone', async (t) => {
    const path = `${tempDir(t)}/precious`
    writeFileSync(path, 'data')
    await t.rejects(new Host().listen(t, { path }), { cause: { code: 'EADDRINUSE' } })
    t.equal(existsSync(path), true)
  })
})

/** Binds `path` in another process that dies without tidying up. */
async function leaveStaleSocket(path: string): Promise<void> {
  const code = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
  const child = spawn(process.execPath, ['-e', code, path], { stdio: 'ignore' })
  await new Promise((resolve) => child.once('exit', resolve))
}

t.test('a descriptor that was inherited', async (t) => {
  const owner = createServer()
  await new Promise<void>((resolve) => owner.listen(0, '127.0.0.1', resolve))
  const { port } = owner.address() as AddressInfo
  const { fd } = (owner as unknown as { _handle: { fd: number } })._handle
  const lib = new URL('../../../lib/', import.meta.url)
  const code = `
    const { listenSocket } = await import('${lib}transport/io/listen.js')
    const { systemClock: clock } = await import('${lib}base/clock.js')
    const listener = await listenSocket({ fd: 3 }, { clock }, (wire) => {
      wire.write(Buffer.from(String(listener.address.port)))
      wire.close(1000)
      listener.close()
    })
    console.log('listening')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit', fd],
  })
  t.teardown(() => child.kill())
  await once(child.stdout as unknown as Socket, 'data')
  owner.close()
  const client = connect(port, '127.0.0.1')
  t.equal(String(await once(client, 'data')), String(port))
  client.end()
  t.equal(await new Promise((resolve) => child.once('exit', resolve)), 0)
})

t.test('a port in use, or one that is not ours', async (t) => {
  const host = await new Host().listen(t, ANY_PORT)
  await t.rejects(new Host().listen(t, { host: '127.0.0.1', port: host.port }), {
    name: 'ListenError',
    token: 'listen_failed',
    address: `127.0.0.1:${host.port}`,
    message: /^listen_failed: 127\.0\.0\.1:\d+: listen EADDRINUSE/,
  })
  await t.rejects(new Host().listen(t, { host: '192.0.2.1', port: 0 }), /^listen_failed: 192/)
})

t.test('keys that cannot be used are the caller’s fault', async (t) => {
  await t.rejects(new Host().listen(t, ANY_PORT, { tls: { cert: 'none', key: 'none' } }), {
    name: 'TransportUsageError',
    message: /TLS identity: /,
  })
})

t.test('a port shared by processes, where Node can', async (t) => {
  const listening = new Host().listen(t, ANY_PORT, { reusePort: true })
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major < 22 || (major === 22 && minor < 12) || (major === 23 && minor < 1)) {
    await t.rejects(listening, { message: /reusePort needs Node 22.12/ })
    return
  }
  const { port } = await listening
  const second = await new Host().listen(t, { ...ANY_PORT, port }, { reusePort: true })
  t.equal(second.port, port)
})

t.test('connections beyond the limit are closed at once', async (t) => {
  const host = await new Host().listen(t, ANY_PORT, { maxConnections: 1 })
  host.dial(t)
  await host.accepted.next()
  await once(host.dial(t), 'close')
  t.equal(host.accepted.all.length, 1)
})

t.test('close stops accepting and leaves what was handed on alone', async (t) => {
  const host = await new Host().listen(t, ANY_PORT)
  const client = host.dial(t)
  const { wire } = await host.accepted.next()
  await host.listener.close()
  await host.listener.close()
  const late = host.dial(t)
  t.match(await once(late, 'error'), { code: 'ECONNREFUSED' })
  wire.write(Buffer.from('still here'))
  t.equal(String(await once(client, 'data')), 'still here')
  const again = await new Host().listen(t, { host: '127.0.0.1', port: host.port })
  t.equal(again.port, host.port, 'the port is free at once')
})

t.test('faults while accepting are reported and harm nobody', async (t) => {
  const errors: Error[] = []
  let isFaulty = true
  const listener = await listenSocket(
    ANY_PORT,
    { clock: new FakeClock(), onError: (error) => errors.push(error) },
    (wire) => {
      if (isFaulty) throw new Error('bug of the callee')
      wire.close(0)
    },
  )
  t.teardown(() => listener.close())
  const { port } = listener.address as { port: number }
  await once(
    connect(port, '127.0.0.1').on('error', () => {}),
    'close',
  )
  isFaulty = false
  const { server } = listener as unknown as { server: ReturnType<typeof createServer> }
  server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }))
  await once(
    connect(port, '127.0.0.1').on('error', () => {}),
    'close',
  )
  t.match(errors, [{ message: 'bug of the callee' }, { code: 'EMFILE' }])
})

t.test('TLS', async (t) => {
  const client = (host: Host, tls: ClientTlsOptions) =>
    connectSocket(host.listener.address, { clock: host.clock, tls })

  t.test('a connection is handed on when its handshake is done', async (t) => {
    const host = await new Host().listen(t, ANY_PORT, { tls: serverIdentity })
    const { wire } = await client(host, { ca, serverName: 'localhost' })
    const accepted = await host.accepted.next()
    t.match(accepted.peer.tls, {
      protocol: 'TLSv1.3',
      authorized: false,
      serverName: 'localhost',
    })
    t.equal(accepted.peer.tls?.certificate, undefined)
    t.equal(host.clock.pending, 0, 'its deadline is gone')
    host.clock.advance(60_000)
    const events = new WireRecorder()
    wire.start(events)
    wire.write(Buffer.from('hello'))
    await accepted.events.until((seen) => seen.text === 'hello')
    accepted.wire.close(1000)
    await events.until((seen) => seen.log.includes('ended'))
    wire.write(Buffer.from('half-closed'))
    wire.close(1000)
    await Promise.all([events.done(), accepted.events.done()])
    t.equal(accepted.events.error, undefined)
    t.equal(host.clock.pending, 0)
  })

  t.test('a half-closed client still gets its answer', async (t) => {
    const host = await new Host().listen(t, ANY_PORT, { tls: serverIdentity })
    const { wire } = await client(host, { ca })
    const events = new WireRecorder()
    wire.start(events)
    wire.write(Buffer.from('question'))
    const accepted = await host.accepted.next()
    const { socket } = wire as unknown as { socket: Socket }
    socket.end()
    await accepted.events.until((seen) => seen.log.includes('ended'))
    accepted.wire.write(Buffer.from('answer'))
    accepted.wire.close(1000)
    await events.until((seen) => seen.text === 'answer')
    await accepted.events.done()
    t.equal(accepted.events.error, undefined)
  })

  t.test('a peer that does not agree on h2 is closed with a typed error', async (t) => {
    const host = await new Host().listen(t, ANY_PORT, { tls: serverIdentity })
    const none = tlsConnect({ port: host.port, host: '127.0.0.1', ca })
    t.match(await host.errors.next(), {
      name: 'TransportClosed',
      address: /^127\.0\.0\.1:\d+$/,
      cause: { token: 'alpn_not_h2' },
    })
    none.resume()
    await once(none, 'close')
    const http1 = tlsConnect({
      port: host.port,
      host: '127.0.0.1',
      ca,
      ALPNProtocols: ['http/1.1'],
    })
    http1.on('error', () => {})
    t.match(await host.errors.next(), { message: /(tls_handshake_failed|alpn_not_h2): / })
    await once(http1, 'close')
    t.equal(host.accepted.all.length, 0)
  })

  t.test('what is no TLS is closed and reported', async (t) => {
    const host = await new Host().listen(t, ANY_PORT, { tls: serverIdentity })
    const socket = host.dial(t)
    socket.write(CLIENT_PREFACE)
    t.match(await host.errors.next(), { message: /tls_handshake_failed: / })
    socket.resume()
    await once(socket, 'close')
    t.equal(host.clock.pending, 0)
  })

  t.test('a client older than TLS 1.2 is refused', async (t) => {
    const host = await new Host().listen(t, ANY_PORT, { tls: serverIdentity })
    const old = tlsConnect({
      port: host.port,
      host: '127.0.0.1',
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
      ciphers: 'ALL@SECLEVEL=0',
      ALPNProtocols: ['h2'],
    })
    old.on('error', () => {})
    t.match(await host.errors.next(), { message: /tls_handshake_failed: / })
    await once(old, 'close')
  })

  t.test('the handshake has a deadline, however busy the client', async (t) => {
    const before = openHandles()
    const host = await new Host().listen(t, ANY_PORT, {
      tls: serverIdentity,
      handshakeTimeoutMs: 50,
    })
    const silent = host.dial(t)
    const dribbling = host.dial(t)
    dribbling.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]))
    while (host.clock.pending < 2) await new Promise((resolve) => setImmediate(resolve))
    host.clock.advance(49)
    t.equal(host.clock.pending, 2)
    host.clock.advance(1)
    t.match(
      [await host.errors.next(), await host.errors.next()],
      [
        { address: /^127/, message: /handshake_timeout: not finished after 50 ms/ },
        { message: /handshake_timeout/ },
      ],
    )
    silent.resume()
    dribbling.resume()
    await Promise.all([once(silent, 'close'), once(dribbling, 'close')])
    t.equal(host.errors.all.length, 2)
    await host.listener.close()
    await handlesBackTo(before)
  })

  t.test('a client that hangs up within the handshake leaves nothing', async (t) => {
    const before = openHandles()
    const host = await new Host().listen(t, ANY_PORT, { tls: serverIdentity })
    for (const part of [[], [0x16, 0x03, 0x01]]) {
      const socket = host.dial(t)
      await once(socket, 'connect')
      if (part.length > 0) socket.write(Buffer.from(part))
      socket.end()
      await host.errors.next()
    }
    await host.listener.close()
    await handlesBackTo(before)
    t.equal(host.clock.pending, 0)
  })

  t.test('close drops handshakes that are under way, without a word', async (t) => {
    const host = await new Host().listen(t, ANY_PORT, { tls: serverIdentity })
    const socket = host.dial(t)
    while (host.clock.pending < 1) await new Promise((resolve) => setImmediate(resolve))
    await host.listener.close()
    socket.resume()
    await once(socket, 'close')
    t.equal(host.clock.pending, 0)
    t.strictSame(host.errors.all, [])
  })

  t.test('client certificates', async (t) => {
    const asking = { ...serverIdentity, ca, requestClientCert: true }

    t.test('one that the roots vouch for is known by name', async (t) => {
      const host = await new Host().listen(t, ANY_PORT, { tls: asking })
      const { wire } = await client(host, { ca, ...clientIdentity })
      const { peer } = await host.accepted.next()
      t.match(peer.tls, {
        authorized: true,
        certificate: {
          subject: { CN: 'client' },
          subjectAltName: 'URI:spiffe://example.test/client',
        },
      })
      wire.close(0)
    })

    t.test('none is refused, or let through unauthorised on request', async (t) => {
      const strict = await new Host().listen(t, ANY_PORT, { tls: asking })
      const refused = await client(strict, { ca })
      refused.wire.start(new WireRecorder())
      t.match(await strict.errors.next(), { message: /tls_handshake_failed: / })
      t.equal(strict.accepted.all.length, 0)

      const lax = await new Host().listen(t, ANY_PORT, {
        tls: { ...asking, rejectUnauthorized: false },
      })
      const { wire } = await client(lax, { ca })
      t.match((await lax.accepted.next()).peer.tls, { authorized: false })
      wire.close(0)
    })

    t.test('one of an unknown root is refused with the reason', async (t) => {
      const host = await new Host().listen(t, ANY_PORT, { tls: { ...asking, ca: otherCa } })
      const { wire } = await client(host, { ca, ...clientIdentity })
      const events = new WireRecorder()
      wire.start(events)
      t.match(await host.errors.next(), {
        message: /tls_handshake_failed: (SELF_SIGNED|UNABLE_TO)/,
      })
      await events.until((seen) => seen.log.includes('ended') || seen.log.includes('closed'))
      wire.close(0)
    })
  })

  t.test('the context is chosen by name', async (t) => {
    const asked: string[] = []
    const special = secureContext({ ...clientIdentity, ca })
    const secureContextFor = async (name: string) => {
      asked.push(name)
      if (name === 'throws.test') throw new Error('no such name')
      return name === 'special.test' ? special : undefined
    }
    const host = await new Host().listen(t, ANY_PORT, {
      tls: { ...serverIdentity, secureContextFor },
    })
    const subjectOf = async (serverName: string) => {
      const { peer, wire } = await client(host, { rejectUnauthorized: false, serverName })
      const name = peer.tls?.certificate?.subject['CN']
      await host.accepted.next()
      wire.close(0)
      return name
    }
    t.equal(await subjectOf('SPECIAL.test'), 'client')
    t.equal(await subjectOf('other.test'), 'localhost')
    await t.rejects(subjectOf('throws.test'), { name: 'TransportClosed' })
    t.match(await host.errors.next(), { message: /no such name/ })
    t.strictSame(asked, ['special.test', 'other.test', 'throws.test'])
    t.equal(await subjectOf('other.test'), 'localhost', 'and the process lives')
  })

  t.test('a chooser that throws at once refuses the client only', async (t) => {
    const host = await new Host().listen(t, ANY_PORT, {
      tls: {
        ...serverIdentity,
        secureContextFor: () => {
          throw new Error('at once')
        },
      },
    })
    await t.rejects(client(host, { ca, serverName: 'localhost' }), { name: 'TransportClosed' })
    t.match(await host.errors.next(), { message: /at once/ })
    t.equal(host.clock.pending, 0)
  })
})

t.test('one port for HTTP/2 and an HTTP/1 server', async (t) => {
  const other = createHttpServer((incoming, response) => {
    let body = ''
    incoming.on('data', (chunk) => {
      body += chunk
    })
    incoming.on('end', () => response.end(`${incoming.method} ${incoming.url} ${body}`))
  })
  other.keepAliveTimeout = 1
  const bodyOf = async (response: IncomingMessage): Promise<string> => {
    let body = ''
    for await (const chunk of response) body += chunk
    return body
  }

  t.test('each gets its own', async (t) => {
    const host = await new Host().listen(t, ANY_PORT, { otherProtocol: other })
    const answer = await new Promise<IncomingMessage>((resolve) => {
      const posting = request({ port: host.port, host: '127.0.0.1', method: 'POST', path: '/up' })
      posting.on('response', resolve)
      posting.end('b'.repeat(100_000))
    })
    t.equal(await bodyOf(answer), `POST /up ${'b'.repeat(100_000)}`)

    const client = host.dial(t)
    client.write(Buffer.concat([CLIENT_PREFACE, Buffer.from('frames')]))
    const { events, wire } = await host.accepted.next()
    await events.until((seen) => seen.received.length === 30)
    t.equal(events.text, `${CLIENT_PREFACE.toString('latin1')}frames`)
    client.write(' and more')
    await events.until((seen) => seen.text.endsWith('and more'))
    wire.write(Buffer.from('answer'))
    t.equal(String(await once(client, 'data')), 'answer')
    client.end()
    await events.until((seen) => seen.log.includes('ended'))
    t.equal(host.clock.pending, 0)
  })

  t.test('a kept-alive HTTP/1 connection works on', async (t) => {
    const host = await new Host().listen(t, ANY_PORT, { otherProtocol: other })
    const client = host.dial(t)
    let text = ''
    client.on('data', (chunk) => {
      text += chunk
    })
    for (const path of ['/one', '/two']) {
      client.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`)
      while (!text.includes(`GET ${path} `)) await once(client, 'data')
    }
    t.equal(host.accepted.all.length, 0)
  })

  t.test('the preface may come in any pieces', async (t) => {
    const host = await new Host().listen(t, ANY_PORT, { otherProtocol: other })
    const client = host.dial(t)
    client.setNoDelay(true)
    for (const octet of CLIENT_PREFACE) {
      await new Promise((resolve) => client.write(Buffer.from([octet]), resolve))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const { events } = await host.accepted.next()
    await events.until((seen) => seen.received.equals(CLIENT_PREFACE))
  })

  t.test('the first octet that differs decides', async (t) => {
    const texts = new Turns<string>()
    const otherProtocol = {
      emit: (_event: 'connection', socket: Duplex) =>
        socket.once('data', (chunk) => texts.add(String(chunk))),
    }
    const host = await new Host().listen(t, ANY_PORT, { otherProtocol })
    for (const text of ['G', 'PRI * HTTP/1', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r', 'PUT']) {
      host.dial(t).write(text)
      t.equal(await texts.next(), text)
    }
    t.equal(host.clock.pending, 0)
    t.equal(host.accepted.all.length, 0)
  })

  t.test('who says too little is closed at the deadline, or when he ends', async (t) => {
    const host = await new Host().listen(t, ANY_PORT, { otherProtocol: other })
    const clients = Array.from({ length: 24 }, (_, octets) => {
      const client = host.dial(t)
      client.write(CLIENT_PREFACE.subarray(0, octets))
      return client.resume()
    })
    while (host.clock.pending < 24) await new Promise((resolve) => setImmediate(resolve))
    const ending = once(clients[5]!, 'close')
    clients[5]!.end()
    await ending
    t.equal(host.clock.pending, 23)
    const closed = Promise.all(
      clients.filter((_, at) => at !== 5).map((client) => once(client, 'close')),
    )
    host.clock.advance(19_999)
    t.equal(host.clock.pending, 23)
    host.clock.advance(1)
    await closed
    t.equal(host.clock.pending, 0)
    for (let at = 0; at < 23; at++) {
      t.match(await host.errors.next(), {
        name: 'TransportClosed',
        message: /handshake_timeout: not finished after 20000 ms/,
      })
    }
  })

  t.test('a reset while looking is reported and harmless', async (t) => {
    const host = await new Host().listen(t, ANY_PORT, { otherProtocol: other })
    const client = host.dial(t)
    while (host.clock.pending < 1) await new Promise((resolve) => setImmediate(resolve))
    client.resetAndDestroy()
    t.match(await host.errors.next(), { cause: { code: 'ECONNRESET' } })
    t.equal(host.clock.pending, 0)
  })

  t.test('over TLS, ALPN decides', async (t) => {
    const host = await new Host().listen(t, ANY_PORT, {
      tls: serverIdentity,
      otherProtocol: other,
    })
    for (const ALPNProtocols of [['http/1.1'], undefined]) {
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        const alpn = ALPNProtocols === undefined ? {} : { ALPNProtocols }
        httpsGet({ port: host.port, host: '127.0.0.1', path: '/s', ca, ...alpn }, resolve).on(
          'error',
          reject,
        )
      })
      t.equal(await bodyOf(answer), 'GET /s ')
    }
    const { wire } = await connectSocket(host.listener.address, { clock: host.clock, tls: { ca } })
    await host.accepted.next()
    t.equal(host.accepted.all.length, 1)
    t.equal(host.clock.pending, 0)
    wire.close(0)
  })

  t.test('plain HTTP/1 to the end', async (t) => {
    const host = await new Host().listen(t, ANY_PORT, { otherProtocol: other })
    const answer = await new Promise<IncomingMessage>((resolve) =>
      get({ port: host.port, host: '127.0.0.1', path: '/x', agent: false }, resolve),
    )
    t.equal(await bodyOf(answer), 'GET /x ')
  })
})
