// All suites, in the order of their running.
import type { Suite } from './suite.ts'
import { grpcJava } from './suites/grpc-java.ts'
import { h2spec } from './suites/h2spec.ts'
import { h2specd } from './suites/h2specd.ts'

export const SUITES: readonly Suite[] = [h2spec, h2specd, grpcJava]
