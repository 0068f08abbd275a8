// Cases of one request and one response.
import { Code, createClient } from '../../../lib/grpc/index.ts'
import { expectEqual, expectPayload, expectStatus } from '../expectations.ts'
import type { SimpleRequest } from '../test-service.ts'
import { type InteropCase, LARGE_REQUEST_BYTES, LARGE_RESPONSE_BYTES } from './case.ts'

/** The request of large_unary and its kin. */
export function largeRequest(): SimpleRequest {
  return {
    responseSize: LARGE_RESPONSE_BYTES,
    payload: { body: Buffer.alloc(LARGE_REQUEST_BYTES) },
  }
}

export const emptyUnary: InteropCase = async ({ client }) => {
  expectEqual(await client.emptyCall({}), {}, 'response')
}

export const largeUnary: InteropCase = async ({ client }) => {
  const { payload } = await client.unaryCall(largeRequest())
  expectPayload(payload, LARGE_RESPONSE_BYTES)
}

const VERY_LARGE_BYTES = 10 << 20

export const veryLargeRequest: InteropCase = async ({ client }) => {
  const { payload } = await client.unaryCall({
    responseSize: 10,
    payload: { body: Buffer.alloc(VERY_LARGE_BYTES) },
  })
  expectPayload(payload, 10)
}

const SPECIAL_MESSAGE = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP \u{1f608}\t\n'

export const specialStatusMessage: InteropCase = async ({ client }) => {
  const responseStatus = { code: Code.Unknown, message: SPECIAL_MESSAGE }
  await expectStatus(client.unaryCall({ responseStatus }), Code.Unknown, SPECIAL_MESSAGE)
}

export const unimplementedMethod: InteropCase = async ({ client }) => {
  await expectStatus(client.unimplementedCall({}), Code.Unimplemented)
}

export const unimplementedService: InteropCase = async ({ conn, services }) => {
  const client = createClient(services.UnimplementedService, conn)
  await expectStatus(client.unimplementedCall({}), Code.Unimplemented)
}

const PICK_FIRST_CALLS = 100

export const pickFirstUnary: InteropCase = async ({ client }) => {
  const ids = new Set<string | undefined>()
  for (let i = 0; i < PICK_FIRST_CALLS; i++) {
    const request = { responseSize: 1, payload: { body: Buffer.alloc(1) }, fillServerId: true }
    const { payload, serverId } = await client.unaryCall(request)
    expectPayload(payload, 1)
    ids.add(serverId)
  }
  if (ids.has('') || ids.has(undefined)) throw new Error('server_id: got none, want one')
  expectEqual(ids.size, 1, `servers that answered (${[...ids].join(', ')})`)
}
