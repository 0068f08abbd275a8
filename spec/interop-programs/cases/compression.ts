// Cases of compression, message by message. Those of a client ask first, by a message that is not
// compressed as it says, whether the server looks; the noprobe forms take a server that does not.
import { type CallOptions, Code } from '../../../lib/grpc/index.ts'
import { all, expectEqual, expectPayload, expectStatus } from '../expectations.ts'
import { type CaseContext, type InteropCase, LARGE_RESPONSE_BYTES } from './case.ts'
import { largeRequest } from './unary.ts'

const COMPRESSING: CallOptions = { compression: 'gzip', minCompressBytes: 0 }

export const clientCompressedUnaryNoprobe: InteropCase = async ({ client }) => {
  for (const [value, options] of [
    [true, COMPRESSING],
    [false, {}],
  ] as const) {
    const request = { ...largeRequest(), expectCompressed: { value } }
    const { payload } = await client.unaryCall(request, options)
    expectPayload(payload, LARGE_RESPONSE_BYTES)
  }
}

export const clientCompressedUnary: InteropCase = async (context) => {
  const probe = { ...largeRequest(), expectCompressed: { value: true } }
  await expectStatus(context.client.unaryCall(probe), Code.InvalidArgument)
  await clientCompressedUnaryNoprobe(context)
}

export const clientCompressedStreamingNoprobe: InteropCase = async ({ client }) => {
  const call = client.streamingInputCall(COMPRESSING)
  for (const [compress, size] of [
    [true, 27_182],
    [false, 45_904],
  ] as const) {
    const request = {
      expectCompressed: { value: compress },
      payload: { body: Buffer.alloc(size) },
    }
    await call.send(request, { compress })
  }
  call.end()
  const { aggregatedPayloadSize } = await call.response
  expectEqual(aggregatedPayloadSize, 73_086, 'aggregated payload size')
}

export const clientCompressedStreaming: InteropCase = async (context) => {
  const call = context.client.streamingInputCall()
  void call.send({ expectCompressed: { value: true }, payload: { body: Buffer.alloc(27_182) } })
  call.end()
  await expectStatus(call.response, Code.InvalidArgument)
  await clientCompressedStreamingNoprobe(context)
}

export const serverCompressedUnary: InteropCase = async ({ client, compressed }) => {
  for (const value of [true, false]) {
    const request = { ...largeRequest(), responseCompressed: { value } }
    const response = await client.unaryCall(request)
    expectCompressed(compressed, response, value)
    expectPayload(response.payload, LARGE_RESPONSE_BYTES)
  }
}

export const serverCompressedStreaming: InteropCase = async ({ client, compressed }) => {
  const wanted = [
    { compressed: { value: true }, size: 31_415 },
    { compressed: { value: false }, size: 92_653 },
  ]
  const responses = await all(client.streamingOutputCall({ responseParameters: wanted }))
  expectEqual(responses.length, wanted.length, 'number of responses')
  for (const [i, response] of responses.entries()) {
    const want = wanted[i] as (typeof wanted)[0]
    expectCompressed(compressed, response, want.compressed.value)
    expectPayload(response.payload, want.size)
  }
}

function expectCompressed(
  compressed: CaseContext['compressed'],
  response: object,
  want: boolean,
): void {
  expectEqual(compressed.has(response), want, 'compressed flag of the response')
}
