// google.rpc.Status and the standard error details as schemas: field names and numbers of
// google/rpc/status.proto and google/rpc/error_details.proto (googleapis, Apache License 2.0).
import { field, MessageSchema } from '../proto/schema.ts'

const message = (name: string, ...fields: ReturnType<typeof field>[]): MessageSchema =>
  new MessageSchema(name, () => fields)

const map = { mapKey: 'string' } as const

// google.protobuf.Any
const ANY = message(
  'google.protobuf.Any',
  field(1, 'typeUrl', 'string'),
  field(2, 'value', 'bytes'),
)

/** google.rpc.Status. */
export const STATUS: MessageSchema = message(
  'google.rpc.Status',
  field(1, 'code', 'int32'),
  field(2, 'message', 'string'),
  field(3, 'details', ANY, 'repeated'),
)

const DURATION = message(
  'google.protobuf.Duration',
  field(1, 'seconds', 'int64'),
  field(2, 'nanos', 'int32'),
)

const LOCALIZED_MESSAGE = message(
  'google.rpc.LocalizedMessage',
  field(1, 'locale', 'string'),
  field(2, 'message', 'string'),
)

/** The standard details by the name of their type. */
export const DETAILS: ReadonlyMap<string, MessageSchema> = new Map(
  [
    message(
      'google.rpc.ErrorInfo',
      field(1, 'reason', 'string'),
      field(2, 'domain', 'string'),
      field(3, 'metadata', 'string', 'map', map),
    ),
    message('google.rpc.RetryInfo', field(1, 'retryDelay', DURATION)),
    message(
      'google.rpc.DebugInfo',
      field(1, 'stackEntries', 'string', 'repeated'),
      field(2, 'detail', 'string'),
    ),
    message(
      'google.rpc.QuotaFailure',
      field(
        1,
        'violations',
        message(
          'google.rpc.QuotaFailure.Violation',
          field(1, 'subject', 'string'),
          field(2, 'description', 'string'),
          field(3, 'apiService', 'string'),
          field(4, 'quotaMetric', 'string'),
          field(5, 'quotaId', 'string'),
          field(6, 'quotaDimensions', 'string', 'map', map),
          field(7, 'quotaValue', 'int64'),
          field(8, 'futureQuotaValue', 'int64', 'optional'),
        ),
        'repeated',
      ),
    ),
    message(
      'google.rpc.PreconditionFailure',
      field(
        1,
        'violations',
        message(
          'google.rpc.PreconditionFailure.Violation',
          field(1, 'type', 'string'),
          field(2, 'subject', 'string'),
          field(3, 'description', 'string'),
        ),
        'repeated',
      ),
    ),
    message(
      'google.rpc.BadRequest',
      field(
        1,
        'fieldViolations',
        message(
          'google.rpc.BadRequest.FieldViolation',
          field(1, 'field', 'string'),
          field(2, 'description', 'string'),
          field(3, 'reason', 'string'),
          field(4, 'localizedMessage', LOCALIZED_MESSAGE),
        ),
        'repeated',
      ),
    ),
    message(
      'google.rpc.RequestInfo',
      field(1, 'requestId', 'string'),
      field(2, 'servingData', 'string'),
    ),
    message(
      'google.rpc.ResourceInfo',
      field(1, 'resourceType', 'string'),
      field(2, 'resourceName', 'string'),
      field(3, 'owner', 'string'),
      field(4, 'description', 'string'),
    ),
    message(
      'google.rpc.Help',
      field(
        1,
        'links',
        message(
          'google.rpc.Help.Link',
          field(1, 'description', 'string'),
          field(2, 'url', 'string'),
        ),
        'repeated',
      ),
    ),
    LOCALIZED_MESSAGE,
  ].map((schema) => [schema.name, schema]),
)
