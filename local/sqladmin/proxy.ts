import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import type { CertificateAuthority } from './authority.ts';
import { fatal, passwordMessage, readMessage, readStartup } from './messages.ts';
import { beginScram } from './scram.ts';

/** The connector dials no other (its `DEFAULT_SERVER_PROXY_PORT`). */
const proxyPort = 3307;

export interface ProxyOptions {
  readonly address: string;
  /** `project:name`, which the connector looks for in the certificate. */
  readonly commonName: string;
  readonly postgresPort: number;
  /** Checks clients' certificates. */
  readonly clients: CertificateAuthority;
  /** Signs the proxy's own. */
  readonly servers: CertificateAuthority;
  /** The password of the role that stands for an IAM principal. */
  readonly iamPassword: (role: string) => string | undefined;
}

/** Units of client certificates: how their holder logs in. */
export const units = { iam: 'iam', password: 'password' } as const;

/** The TLS end of an instance: who has a certificate for it is led to PostgreSQL. */
export async function startProxy(options: ProxyOptions): Promise<{ close(): Promise<void> }> {
  const { key, cert } = await options.servers.issueServer(options.commonName, []);
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  };
  const server = createServer(
    {
      key,
      cert,
      ca: options.clients.cert,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
    },
    (client) => {
      const postgres = connect(options.postgresPort, '127.0.0.1');
      for (const [one, other] of [
        [client, postgres],
        [postgres, client],
      ] as const) {
        track(one);
        one.on('error', () => other.destroy());
        one.on('close', () => other.destroy());
      }
      lead(client, postgres, options.iamPassword).catch(() => client.destroy());
    },
  );
  server.listen(proxyPort, options.address);
  await once(server, 'listening');
  return {
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

async function lead(
  client: TLSSocket,
  postgres: Socket,
  iamPassword: ProxyOptions['iamPassword'],
): Promise<void> {
  const { subject } = client.getPeerCertificate();
  if (subject.OU === units.iam && !(await logIn(client, postgres, String(subject.CN), iamPassword))) return;
  client.pipe(postgres);
  postgres.pipe(client);
}

/**
 * Logs in to PostgreSQL for a client whose certificate says which principal it is: Cloud SQL asks it for nothing more.
 *
 * @returns whether the client is in; otherwise it was told why not
 */
async function logIn(
  client: TLSSocket,
  postgres: Socket,
  principal: string,
  iamPassword: ProxyOptions['iamPassword'],
): Promise<boolean> {
  const startup = await readStartup(client);
  if (startup === undefined) return false;
  const role = startup.parameters.get('user') ?? '';
  const password = role === roleOf(principal) ? iamPassword(role) : undefined;
  if (password === undefined) {
    client.end(fatal('28P01', `Cloud SQL IAM service account authentication failed for user "${role}"`));
    return false;
  }
  postgres.write(startup.bytes);
  const scram = beginScram(password);
  for (;;) {
    const answer = await readMessage(postgres);
    if (answer === undefined) return false;
    if (answer.type !== 'R') {
      client.end(answer.bytes);
      return false;
    }
    switch (answer.body.readInt32BE()) {
      case 0:
        client.write(answer.bytes);
        return true;
      case 10:
        postgres.write(passwordMessage(saslInitialResponse(scram.clientFirst)));
        break;
      case 11:
        postgres.write(passwordMessage(Buffer.from(scram.clientFinal(answer.body.toString('utf8', 4)))));
        break;
    }
  }
}

/** Cloud SQL's name for a service account: https://cloud.google.com/sql/docs/postgres/add-manage-iam-users */
function roleOf(principal: string): string {
  return principal.replace(/\.gserviceaccount\.com$/, '');
}

function saslInitialResponse(clientFirst: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(Buffer.byteLength(clientFirst));
  return Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), length, Buffer.from(clientFirst)]);
}
