// Our client against the misbehaving servers of grpc's http2-interop-test-descriptions.md, on real
// sockets. That the servers are right is shown by grpc-go's client: `npm run conformance -- negative`.
import t from 'tap'
import { runOurClient } from '../conformance/negative/client.ts'
import type { ConnectionReport } from '../conformance/negative/report.ts'
import { CASE_NAMES, type CaseName, verify } from '../conformance/negative/scripts.ts'
import { startNegativeServer } from '../conformance/negative/server.ts'

/** What a bad client would have left in the report of its first connection. */
const BLUNDERS: Readonly<Record<CaseName, Partial<ConnectionReport>>> = {
  goaway: { calls: [1, 3] },
  rst_after_header: { calls: [1, 3] },
  rst_during_data: { rstStreams: ['1 CANCEL'] },
  rst_after_data: { goAways: ['PROTOCOL_ERROR'] },
  ping: { pingAcks: ['0000000000000000'] },
  max_streams: { peakStreams: 2 },
  data_frame_padding: { connectionCreditBytes: 628_344 },
  no_df_padding: { errors: ['stream 1: PROTOCOL_ERROR self_dependency'] },
}

for (const name of CASE_NAMES) {
  t.test(name, async (t) => {
    const server = await startNegativeServer(name)
    t.teardown(() => server.stop())
    await runOurClient(name, `127.0.0.1:${server.port}`)
    await server.abandoned()
    const report = server.report()
    t.doesNotThrow(() => verify(name, report))
    const [first, ...others] = report.connections
    const spoilt = { ...first!, ...BLUNDERS[name] }
    t.throws(() => verify(name, { ...report, connections: [spoilt, ...others] }), 'it can fail')
  })
}
