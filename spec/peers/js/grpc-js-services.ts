// The services of grpc/testing/test.proto, loaded the way that users of @grpc/grpc-js do.
import { loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { PROTOS } from './test-service.ts'

interface Services {
  readonly TestService: ServiceClientConstructor
  readonly UnimplementedService: ServiceClientConstructor
}

const definition = loadSync('grpc/testing/test.proto', { includeDirs: [PROTOS], defaults: true })
const loaded = loadPackageDefinition(definition) as unknown as { grpc: { testing: Services } }

export const services: Services = loaded.grpc.testing
