// All suites, in the order of their running.
import type { Suite } from './suite.ts'
import { connectClient, connectServer } from './suites/connect.ts'
import { connectNode } from './suites/connect-node.ts'
import { grpcGo } from './suites/grpc-go.ts'
import { grpcJava } from './suites/grpc-java.ts'
import { grpcJs } from './suites/grpc-js.ts'
import { grpcPython } from './suites/grpc-python.ts'
import { h2spec } from './suites/h2spec.ts'
import { h2specd } from './suites/h2specd.ts'
import { negative } from './suites/negative.ts'
import { proxies } from './suites/proxies.ts'
import { tonic } from './suites/tonic.ts'
import { vectors } from './suites/vectors.ts'

export const SUITES: readonly Suite[] = [
  h2spec,
  h2specd,
  connectServer,
  connectClient,
  grpcGo,
  grpcJava,
  grpcPython,
  grpcJs,
  connectNode,
  tonic,
  proxies,
  negative,
  vectors,
]
