// What a unary call with grpc-js looks like on the wire: every frame that we send, and those of
// grpc-js as far as they do not depend on its version. spec/model/wire-transcript has our own two
// sides; that the lists agree is the point.
import { Metadata } from '@grpc/grpc-js'
import t from 'tap'
import { type TraceSink, traceFrames } from '../../lib/transport/index.ts'
import {
  grpcJsClient,
  grpcJsServer,
  ourClient,
  ourServer,
  PATIENCE_MS,
} from '../support/interop-service.ts'

const HELLO = Buffer.from('hello')

/** The frames of both directions, apart from each other: their order in time may differ. */
class Transcript {
  public readonly lines: string[] = []

  public readonly trace = (): TraceSink =>
    traceFrames((line) => this.lines.push(line.replace(/^\S+ /, '')), { previewBytes: 10 })

  public frames(direction: '<' | '>'): string[] {
    return this.lines.filter((line) => line.startsWith(direction)).map((line) => line.slice(2))
  }

  /** Those of the call itself. */
  public callFrames(direction: '<' | '>'): string[] {
    return this.frames(direction).filter((line) => line.includes('stream=1 '))
  }
}

t.test('our client and their server', async (t) => {
  const { target } = await grpcJsServer(t)
  const transcript = new Transcript()
  const { client } = ourClient(t, target, {
    authority: 'spec.example',
    trace: transcript.trace,
  })
  t.equal(String(await client.one(HELLO)), 'hello')
  t.match(transcript.frames('>'), [
    'SETTINGS stream=0 length=12 ENABLE_PUSH=0 MAX_HEADER_LIST_SIZE=16384',
    'WINDOW_UPDATE stream=0 length=4 +983041',
    'SETTINGS stream=0 length=0 flags=ACK',
    /^HEADERS stream=1 .* \{:method: POST, :scheme: http, :path: \/spec\.Interop\/One, :authority: spec\.example, content-type: application\/grpc, user-agent: grpc-node-framewright\/\S+, te: trailers, grpc-accept-encoding: identity,gzip,deflate,br, grpc-timeout: \d+[a-zA-Z]\}$/,
    'DATA stream=1 length=10 flags=END_STREAM data=10 ".....hello"',
  ])
  t.equal(transcript.frames('>').length, 5)
  t.match(transcript.callFrames('<'), [
    /^HEADERS .* flags=END_HEADERS .*\{:status: 200, content-type: application\/grpc\+proto/,
    'DATA stream=1 length=10 data=10 ".....hello"',
    /^HEADERS .* flags=END_STREAM\|END_HEADERS .*\{grpc-status: 0, grpc-message: OK\}$/,
  ])
})

t.test('their client and our server', async (t) => {
  const transcript = new Transcript()
  const { target } = await ourServer(t, {}, { trace: transcript.trace })
  const client = grpcJsClient(t, target)
  const deadline = Date.now() + PATIENCE_MS
  const response = await new Promise((resolve, reject) => {
    client.one(HELLO, new Metadata(), { deadline }, (error, value) =>
      error === null ? resolve(value) : reject(error),
    )
  })
  t.equal(String(response), 'hello')
  t.match(transcript.callFrames('<').at(0), /:path: \/spec\.Interop\/One, .*te: trailers/)
  t.strictSame(transcript.frames('>'), [
    'SETTINGS stream=0 length=12 MAX_CONCURRENT_STREAMS=100 MAX_HEADER_LIST_SIZE=16384',
    'WINDOW_UPDATE stream=0 length=4 +983041',
    'SETTINGS stream=0 length=0 flags=ACK',
    'HEADERS stream=1 length=14 flags=END_HEADERS block=14 {:status: 200, content-type: application/grpc}',
    'DATA stream=1 length=10 data=10 ".....hello"',
    'HEADERS stream=1 length=12 flags=END_STREAM|END_HEADERS block=12 {grpc-status: 0}',
  ])
})
