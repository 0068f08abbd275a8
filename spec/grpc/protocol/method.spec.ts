import t from 'tap'
import { bytesCodec, jsonCodec } from '../../../lib/grpc/protocol/codec.ts'
import {
  bidi,
  clientStream,
  defineService,
  serverStream,
  splitMethodPath,
  streamsRequests,
  streamsResponses,
  unary,
} from '../../../lib/grpc/protocol/method.ts'

t.test('defines a service by its methods', async (t) => {
  const json = jsonCodec<{ a: number }>()
  const service = defineService('pkg.Greeter', {
    sayHello: unary(json, bytesCodec, { idempotency: 'noSideEffects' }),
    listAll: serverStream(bytesCodec, json),
    upload: clientStream(bytesCodec, bytesCodec),
    chat: bidi(bytesCodec, bytesCodec, { wireName: 'chat_now' }),
  })
  t.equal(service.name, 'pkg.Greeter')
  t.same(service.methods.sayHello, {
    path: '/pkg.Greeter/SayHello',
    service: 'pkg.Greeter',
    wireName: 'SayHello',
    name: 'sayHello',
    kind: 'unary',
    request: json,
    response: bytesCodec,
    idempotency: 'noSideEffects',
  })
  t.match(service.methods, {
    listAll: { path: '/pkg.Greeter/ListAll', kind: 'serverStream', idempotency: 'unknown' },
    upload: { path: '/pkg.Greeter/Upload', kind: 'clientStream' },
    chat: { path: '/pkg.Greeter/chat_now', kind: 'bidi', name: 'chat' },
  })
})

t.test('knows which side streams', async (t) => {
  t.same(
    (['unary', 'serverStream', 'clientStream', 'bidi'] as const).map((kind) => [
      streamsRequests(kind),
      streamsResponses(kind),
    ]),
    [
      [false, false],
      [false, true],
      [true, false],
      [true, true],
    ],
  )
})

t.test('splits a path at its last slash', async (t) => {
  t.same(splitMethodPath('/pkg.S/M'), { service: 'pkg.S', wireName: 'M' })
  t.same(splitMethodPath('/a/b/M'), { service: 'a/b', wireName: 'M' })
  t.same(splitMethodPath('/S/'), { service: 'S', wireName: '' })
  for (const malformed of ['', '/', '/M', 'S/M', '*', 'http://a/S/M']) {
    t.equal(splitMethodPath(malformed), undefined, malformed)
  }
})
