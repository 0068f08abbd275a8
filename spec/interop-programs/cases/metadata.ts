// custom_metadata: what the client sends comes back, text with the headers, octets with the trailers.
import type { Metadata } from '../../../lib/grpc/index.ts'
import { expectEqual, expectPayload, next } from '../expectations.ts'
import { type InteropCase, LARGE_REQUEST_BYTES, LARGE_RESPONSE_BYTES } from './case.ts'
import { largeRequest } from './unary.ts'

const INITIAL = 'x-grpc-test-echo-initial'
const TRAILING = 'x-grpc-test-echo-trailing-bin'
const TEXT = 'test_initial_metadata_value'
const OCTETS = Buffer.from('ababab', 'hex')

export const customMetadata: InteropCase = async ({ client }) => {
  const metadata = { [INITIAL]: TEXT, [TRAILING]: OCTETS }
  const heard: Metadata[] = []
  const hear = (came: Metadata): void => {
    heard.push(came)
  }
  const options = { metadata, onHeaders: hear, onTrailers: hear }
  const { payload } = await client.unaryCall(largeRequest(), options)
  expectPayload(payload, LARGE_RESPONSE_BYTES)
  expectEchoed(heard[0], heard[1])

  const call = client.fullDuplexCall({ metadata })
  const responses = call[Symbol.asyncIterator]()
  void call.send({
    responseParameters: [{ size: LARGE_RESPONSE_BYTES }],
    payload: { body: Buffer.alloc(LARGE_REQUEST_BYTES) },
  })
  call.end()
  expectPayload((await next(responses)).payload, LARGE_RESPONSE_BYTES)
  expectEqual(await responses.next(), { done: true, value: undefined }, 'after the response')
  expectEchoed(await call.headers, await call.trailers)
}

function expectEchoed(headers: Metadata | undefined, trailers: Metadata | undefined): void {
  expectEqual(headers?.getAll(INITIAL), [TEXT], `header ${INITIAL}`)
  expectEqual(trailers?.getAll(TRAILING), [OCTETS], `trailer ${TRAILING}`)
}
