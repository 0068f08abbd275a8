import t from 'tap'
import { Code } from '../../../lib/base/status.ts'
import {
  codeOfHttpStatus,
  codeOfReset,
  restrictControlPlaneCode,
  statusOfClosed,
} from '../../../lib/grpc/protocol/status-mapping.ts'
import { ErrorCode, TransportClosed } from '../../../lib/transport/index.ts'

t.test('maps every RST_STREAM code', async (t) => {
  const table: Record<keyof typeof ErrorCode, Code> = {
    NO_ERROR: Code.Internal,
    PROTOCOL_ERROR: Code.Internal,
    INTERNAL_ERROR: Code.Internal,
    FLOW_CONTROL_ERROR: Code.Internal,
    SETTINGS_TIMEOUT: Code.Internal,
    STREAM_CLOSED: Code.Internal,
    FRAME_SIZE_ERROR: Code.Internal,
    REFUSED_STREAM: Code.Unavailable,
    CANCEL: Code.Cancelled,
    COMPRESSION_ERROR: Code.Internal,
    CONNECT_ERROR: Code.Internal,
    ENHANCE_YOUR_CALM: Code.ResourceExhausted,
    INADEQUATE_SECURITY: Code.PermissionDenied,
    HTTP_1_1_REQUIRED: Code.Internal,
  }
  for (const [name, code] of Object.entries(table)) {
    t.equal(codeOfReset(ErrorCode[name as keyof typeof ErrorCode], false), code, name)
  }
  for (const unknown of [14, 255, 0xffff_ffff]) {
    t.equal(codeOfReset(unknown, false), Code.Internal, `unknown code ${unknown}`)
  }
  t.equal(codeOfReset(ErrorCode.CANCEL, true), Code.DeadlineExceeded)
  t.equal(codeOfReset(ErrorCode.REFUSED_STREAM, true), Code.Unavailable)
})

t.test('says in the status how the stream closed', async (t) => {
  const common = { initiator: 'peer', code: ErrorCode.CANCEL, processed: true } as const
  t.match(statusOfClosed({ ...common, by: 'reset' }, false), {
    code: Code.Cancelled,
    message: 'stream terminated by RST_STREAM with error code: CANCEL',
  })
  const local = { by: 'reset', initiator: 'local', processed: true } as const
  t.match(statusOfClosed({ ...local, code: ErrorCode.PROTOCOL_ERROR, token: 'x_y' }, false), {
    code: Code.Internal,
    message: /x_y/,
  })
  t.match(statusOfClosed({ ...local, code: ErrorCode.PROTOCOL_ERROR }, false).message, /PROTOCOL_/)
  t.match(statusOfClosed({ ...common, by: 'goaway', processed: false }, false), {
    code: Code.Unavailable,
  })
  const cause = new TransportClosed('1.2.3.4:5', 'ECONNRESET')
  t.match(statusOfClosed({ ...common, by: 'transport', cause }, false), {
    code: Code.Unavailable,
    message: '1.2.3.4:5: ECONNRESET',
    cause,
  })
  t.equal(statusOfClosed({ ...common, by: 'transport' }, false).code, Code.Unavailable)
  t.equal(statusOfClosed({ ...common, by: 'end' }, false).code, Code.Internal)
})

t.test('maps HTTP statuses', async (t) => {
  const table: [httpStatus: number, code: Code][] = [
    [400, Code.Internal],
    [401, Code.Unauthenticated],
    [403, Code.PermissionDenied],
    [404, Code.Unimplemented],
    [429, Code.Unavailable],
    [502, Code.Unavailable],
    [503, Code.Unavailable],
    [504, Code.Unavailable],
    [200, Code.Unknown],
    [302, Code.Unknown],
    [500, Code.Unknown],
    [800, Code.Unknown],
  ]
  for (const [httpStatus, code] of table)
    t.equal(codeOfHttpStatus(httpStatus), code, `${httpStatus}`)
})

t.test('keeps application codes from the control plane', async (t) => {
  const illegal: number[] = [3, 5, 6, 9, 10, 11, 15]
  for (let code = 0; code <= 16; code++) {
    const status = { code, message: 'why' }
    const restricted = restrictControlPlaneCode(status)
    if (illegal.includes(code)) {
      t.equal(restricted.code, Code.Internal, `code ${code}`)
      t.match(restricted.message, new RegExp(`${code}.*why`))
    } else t.equal(restricted, status, `code ${code}`)
  }
})
