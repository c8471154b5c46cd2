// The driver's gRPC server on a socket of the pod: nothing but the sidecar beside it can reach it.
import { existsSync, unlinkSync } from "node:fs";
import {
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { StoreError } from "../../lib/base/errors.ts";
import { Identity, Provisioner } from "../../lib/gen/cosi/v1alpha1/cosi_pb.ts";
import type { Log } from "../../lib/ports/log.ts";
import type { CosiDriver } from "./driver.ts";
import { toDriverError } from "./driver-error.ts";

export interface DriverServer {
  /** Running calls end; the socket is gone when it resolves. */
  close(): Promise<void>;
}

type Handler = handleUnaryCall<unknown, unknown>;

/** Throws StoreError "io" when the socket cannot be made. A left-over one is taken over. */
export async function serveDriver(
  driver: CosiDriver,
  how: { readonly socket: string; readonly log: Log },
): Promise<DriverServer> {
  const { socket, log } = how;
  const server = new Server();
  const { driverGetInfo } = Identity.method;
  const methods = Provisioner.method;
  addService(server, Identity, {
    DriverGetInfo: unary(driverGetInfo, log, async () => driver.info()),
  });
  addService(server, Provisioner, {
    DriverCreateBucket: unary(methods.driverCreateBucket, log, (request) =>
      driver.createBucket(request),
    ),
    DriverDeleteBucket: unary(methods.driverDeleteBucket, log, (request) =>
      driver.deleteBucket(request),
    ),
    DriverGrantBucketAccess: unary(methods.driverGrantBucketAccess, log, (request) =>
      driver.grant(request),
    ),
    DriverRevokeBucketAccess: unary(methods.driverRevokeBucketAccess, log, (request) =>
      driver.revoke(request),
    ),
  });
  if (existsSync(socket)) unlinkSync(socket);
  await listen(server, socket);
  return {
    close: () =>
      new Promise((resolve, reject) => {
        server.tryShutdown((error) => (error === undefined ? resolve() : reject(error)));
      }),
  };
}

function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(new StoreError("io", `listen on ${socket}: ${error.message}`, { cause: error }));
    });
  });
}

function addService(
  server: Server,
  service: DescService,
  handlers: UntypedServiceImplementation,
): void {
  const definition: ServiceDefinition = Object.fromEntries(
    service.methods.map((method) => [method.name, methodOf(service, method)]),
  );
  server.addService(definition, handlers);
}

function methodOf(service: DescService, { name, input, output }: DescMethod) {
  type Message = MessageShape<DescMessage>;
  return {
    path: `/${service.typeName}/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: (message: Message) => Buffer.from(toBinary(input, message)),
    requestDeserialize: (wire: Buffer) => fromBinary(input, wire),
    responseSerialize: (message: Message) => Buffer.from(toBinary(output, message)),
    responseDeserialize: (wire: Buffer) => fromBinary(output, wire),
  };
}

/** Secrets of answers are not logged; what was asked is. */
function unary<I extends DescMessage, O extends DescMessage>(
  method: { readonly name: string; readonly input: I; readonly output: O },
  log: Log,
  run: (request: MessageShape<I>) => Promise<MessageShape<O>>,
): Handler {
  return (call, callback) => {
    // Checked boundary: requestDeserialize of this very method made it.
    const request = call.request as MessageShape<I>;
    run(request).then(
      (answer) => {
        log.info("cosi", { method: method.name, outcome: "ok" });
        callback(null, answer);
      },
      (thrown: unknown) => {
        const { code, message } = toDriverError(thrown);
        log.error("cosi", thrown, { method: method.name, outcome: message });
        callback({ code, details: message });
      },
    );
  };
}
