import t from 'tap'
import { Code, codeFromName, codeName, STATUS_OK } from '../../lib/base/status.ts'

t.test('codes have the numbers and names of statuscodes.md', (t) => {
  const table: [Code, number, string][] = [
    [Code.Ok, 0, 'OK'],
    [Code.Cancelled, 1, 'CANCELLED'],
    [Code.Unknown, 2, 'UNKNOWN'],
    [Code.InvalidArgument, 3, 'INVALID_ARGUMENT'],
    [Code.DeadlineExceeded, 4, 'DEADLINE_EXCEEDED'],
    [Code.NotFound, 5, 'NOT_FOUND'],
    [Code.AlreadyExists, 6, 'ALREADY_EXISTS'],
    [Code.PermissionDenied, 7, 'PERMISSION_DENIED'],
    [Code.ResourceExhausted, 8, 'RESOURCE_EXHAUSTED'],
    [Code.FailedPrecondition, 9, 'FAILED_PRECONDITION'],
    [Code.Aborted, 10, 'ABORTED'],
    [Code.OutOfRange, 11, 'OUT_OF_RANGE'],
    [Code.Unimplemented, 12, 'UNIMPLEMENTED'],
    [Code.Internal, 13, 'INTERNAL'],
    [Code.Unavailable, 14, 'UNAVAILABLE'],
    [Code.DataLoss, 15, 'DATA_LOSS'],
    [Code.Unauthenticated, 16, 'UNAUTHENTICATED'],
  ]
  t.equal(table.length, Object.keys(Code).length)
  for (const [code, number, name] of table) {
    t.equal(code, number)
    t.equal(codeName(code), name)
    t.equal(codeFromName(name), number)
  }
  t.end()
})

t.test('a number without a name keeps its number', (t) => {
  t.equal(codeName(17), 'CODE_17')
  t.equal(codeName(-1), 'CODE_-1')
  t.end()
})

t.test('what is no name has no code', (t) => {
  for (const name of ['', 'ok', 'CANCELED', 'toString', 'constructor', '0', 'CODE_17']) {
    t.equal(codeFromName(name), undefined, name)
  }
  t.end()
})

t.test('the good status is one frozen object', (t) => {
  t.strictSame(STATUS_OK, { code: 0, message: '' })
  t.ok(Object.isFrozen(STATUS_OK))
  t.end()
})
