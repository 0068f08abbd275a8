import descriptor from 'protobufjs/ext/descriptor.js'
import t, { type Test } from 'tap'
import { createClient, dial, loadProto, Server } from '../../../lib/grpc/index.ts'
import {
  addReflection,
  loadReflectionService,
  type ReflectionRequest,
  type ReflectionResponse,
} from '../../../lib/grpc/services/reflection.ts'

const PROTO = `
syntax = "proto3";
package demo;
import "google/protobuf/timestamp.proto";
message Ask { string text = 1; google.protobuf.Timestamp at = 2; }
message Answer { repeated Ask asks = 1; }
service Oracle { rpc Consult(Ask) returns (stream Answer); }
`
const EXTENDED = `
syntax = "proto2";
package old;
message Open { extensions 100 to 200; }
extend Open { optional string note = 120; optional int32 count = 110; }
`

async function ask(
  t: Test,
  version: 'v1' | 'v1alpha',
  ...requests: ReflectionRequest[]
): Promise<ReflectionResponse[]> {
  const demo = await loadProto({ text: PROTO, name: 'demo.proto' })
  const old = await loadProto({ text: EXTENDED, name: 'old.proto' })
  const server = new Server()
  server.register(demo.services['demo.Oracle'] as never, { consult: () => [] } as never)
  await addReflection(server, [demo, old])
  const { port } = await server.listen('127.0.0.1:0')
  const conn = dial(`127.0.0.1:${port}`)
  t.teardown(async () => {
    conn.close()
    await server.stop()
  })
  const client = createClient(await loadReflectionService(version), conn)
  const answers: ReflectionResponse[] = []
  for await (const answer of client.serverReflectionInfo(requests)) answers.push(answer)
  return answers
}

function filesOf(answer: ReflectionResponse | undefined): descriptor.IFileDescriptorProto[] {
  const encoded = answer?.fileDescriptorResponse?.fileDescriptorProto ?? []
  return encoded.map((bytes) => descriptor.FileDescriptorProto.decode(bytes) as never)
}

for (const version of ['v1', 'v1alpha'] as const) {
  t.test(`${version}: services are listed, also reflection itself`, async (t) => {
    const [answer] = await ask(t, version, { listServices: '' })
    t.strictSame(
      answer?.listServicesResponse?.service.map(({ name }) => name),
      [
        'demo.Oracle',
        'grpc.reflection.v1.ServerReflection',
        'grpc.reflection.v1alpha.ServerReflection',
      ],
    )
  })
}

t.test('a symbol gives its file and what that depends on', async (t) => {
  const symbols = ['demo.Oracle', 'demo.Oracle.Consult', 'demo.Answer', 'demo.Ask.text']
  const answers = await ask(t, 'v1', ...symbols.map((symbol) => ({ fileContainingSymbol: symbol })))
  t.equal(answers.length, symbols.length)
  for (const [index, answer] of answers.entries()) {
    const files = filesOf(answer)
    t.strictSame(
      files.map(({ name }) => name),
      ['demo.proto', 'google/protobuf/timestamp.proto'],
      symbols[index],
    )
    t.match(files[0], { package: 'demo', dependency: ['google/protobuf/timestamp.proto'] })
    t.match(files[0]?.service?.[0], { name: 'Oracle', method: [{ name: 'Consult' }] })
    t.equal(answer.originalRequest?.fileContainingSymbol, symbols[index])
  }
})

t.test('a file is found by its name', async (t) => {
  const [answer] = await ask(t, 'v1', { fileByFilename: 'old.proto' })
  t.strictSame(
    filesOf(answer).map(({ name }) => name),
    ['old.proto'],
  )
})

t.test('extensions are found by type and number, and their numbers listed', async (t) => {
  const [file, numbers, none] = await ask(
    t,
    'v1',
    { fileContainingExtension: { containingType: 'old.Open', extensionNumber: 120 } },
    { allExtensionNumbersOfType: 'old.Open' },
    { allExtensionNumbersOfType: 'demo.Ask' },
  )
  t.equal(filesOf(file)[0]?.name, 'old.proto')
  t.strictSame(numbers?.allExtensionNumbersResponse, {
    baseTypeName: 'old.Open',
    extensionNumber: [110, 120],
  })
  t.strictSame(none?.allExtensionNumbersResponse?.extensionNumber, [])
})

t.test('what is not there is NOT_FOUND, and the stream goes on', async (t) => {
  const answers = await ask(
    t,
    'v1',
    { fileContainingSymbol: 'demo.Nothing' },
    { fileByFilename: 'nothing.proto' },
    { fileContainingExtension: { containingType: 'old.Open', extensionNumber: 1 } },
    { allExtensionNumbersOfType: 'old.Nothing' },
    {},
    { listServices: '*' },
  )
  t.strictSame(
    answers.map(({ errorResponse }) => errorResponse?.errorCode),
    [5, 5, 5, 5, 3, undefined],
  )
})
