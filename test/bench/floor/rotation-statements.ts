import { localInstance } from '../../../local/stack.ts';
import { storeVerifier } from '../../../shared/postgres/logins/password.ts';
import { prove } from '../../../shared/postgres/logins/proof.ts';
import { roleName } from '../../../shared/postgres/names.ts';
import { productConnection, type Statements, withCapture, withTime } from './statements.ts';

/** What the product would send for a login of a secret, word for word. */
export interface LoginStatements {
  /** With {@link verifierPlace} where the verifier belongs. */
  readonly password: Statements;
  /** As the login itself: what it may do, compared with its twin. */
  readonly proof: string;
}

/** Stands for a verifier that has yet to be computed. */
export const verifierPlace = '<verifier>';

/** Logins with the rights of a schema's writers. */
export interface CapturedSecret {
  readonly secret: string;
  readonly schema: string;
  readonly logins: readonly [string, string];
  /** As high as the logins' marks. */
  readonly epoch: number;
}

/** The product's statements for each login of these secrets. */
export function captureRotations(
  port: number,
  database: string,
  secrets: readonly CapturedSecret[],
): Promise<(readonly [login: string, LoginStatements])[][]> {
  return withCapture(productConnection(port, database, 'rotate-secret'), async (capture) => {
    const captured: (readonly [string, LoginStatements])[][] = [];
    for (const { secret, schema, logins, epoch } of secrets) {
      const scope = { instance: localInstance, database, schema, secret };
      const role = roleName(database, schema, 'writer');
      const ofLogin = async (login: string, twin: string) => {
        const change = { login, verifier: verifierPlace, epoch, onlyIdle: false };
        const password = await capture((pools) => storeVerifier(scope, change, { ...withTime, pools }));
        const proof = {
          credential: { user: login, password: '' },
          twin,
          role,
          acts: false,
          probe: undefined,
        };
        const proven = await capture((pools) => prove(scope, proof, { ...withTime, pools }));
        return [login, { password, proof: proven.prologue }] as const;
      };
      const [first, second] = logins;
      captured.push([await ofLogin(first, second), await ofLogin(second, first)]);
    }
    return captured;
  });
}
