import { addVersion, disableVersion, SecretChanged } from '../gcp/secrets.ts';
import { newPassword, setPassword } from '../postgres/logins/password.ts';
import { doesNotLogIn, logsIn, prove } from '../postgres/logins/proof.ts';
import type { Login } from '../postgres/pools.ts';
import { credentialFor, formatCredential } from './credential.ts';
import type { PostgresSecret } from './managed.ts';
import { type CredentialVersion, readCredentials, refuseUnusable } from './observe.ts';
import { discardPending, readPending, writePending } from './pending.ts';
import {
  added,
  disabled,
  lookAgain,
  mostLooks,
  moveAliases,
  optionsOf,
  passwordOf,
  type Rotated,
  type Rotation,
  roleOf,
  scopeOf,
  withoutVersion,
} from './rotation.ts';
import { nextStep, type Observed, type Step } from './single-user.ts';
import { isOvertaken, withdraw } from './withdraw.ts';

type Trust = NonNullable<Observed['pending']>['trust'];

/**
 * Rotates a secret of one login: looks, does what {@link nextStep} says, and looks again, until there is nothing left.
 *
 * @throws OperationError, `LoginFenced`
 */
export async function rotateSingleUser(rotation: Rotation<PostgresSecret>): Promise<Rotated> {
  const password = await readPending(rotation.id);
  const work = new SingleUserWork(rotation, password);
  for (let lost = 0; ; ) {
    try {
      const step = nextStep(rotation.operation.id, await work.observed());
      if (step.do === 'nothing') break;
      rotation.operation.signal.throwIfAborted();
      if (step.do === 'write-pending') rotation.beforeBreaking();
      await work.take(step);
    } catch (error) {
      if (isOvertaken(error, rotation.operation)) await work.withdraw();
      lost += 1;
      if (!(error instanceof SecretChanged) || lost === mostLooks) throw error;
      await lookAgain(rotation);
    }
  }
  const { current, previous } = rotation.seen;
  if (current === undefined) throw new Error('a rotation ended without a current version');
  return { current, previous: previous === current ? undefined : previous, momentMs: work.momentMs };
}

class SingleUserWork {
  readonly #rotation: Rotation<PostgresSecret>;
  readonly #login: string;
  #pending: { readonly password: string; readonly trust: Trust } | undefined;
  #usable: readonly CredentialVersion[] = [];
  /** Of the version that this attempt has sent. */
  #sent: { readonly value: Buffer; readonly password: string } | undefined;
  #setAt: number | undefined;
  #isProven = false;
  /** From the change of the password to its publication, as far as this attempt saw it. */
  momentMs = 0;

  constructor(rotation: Rotation<PostgresSecret>, password: string | undefined) {
    this.#rotation = rotation;
    this.#login = rotation.managed.logins[0] ?? '';
    this.#pending = password === undefined ? undefined : { password, trust: 'unknown' };
  }

  async observed(): Promise<Observed> {
    const { seen, managed, cache, id } = this.#rotation;
    const { usable, unusable } = await readCredentials(seen, managed, cache);
    refuseUnusable(id, unusable);
    this.#usable = usable;
    return {
      enabled: usable.map(({ number }) => number),
      current: seen.current,
      movedBy: seen.movedBy,
      pending: this.#pending,
      published: usable.find(({ credential }) => credential.password === this.#pending?.password)?.number,
    };
  }

  async take(step: Exclude<Step, { do: 'nothing' }>): Promise<void> {
    const { id, managed, operation, changes } = this.#rotation;
    switch (step.do) {
      case 'write-pending': {
        const password = newPassword();
        await this.#proveCurrent();
        operation.assertHeld();
        await writePending(id, password);
        this.#pending = { password, trust: 'broken' };
        return;
      }
      case 'try-pending': {
        const works = await logsIn(managed, this.#credential(), optionsOf(operation));
        this.#trust(works ? 'works' : 'broken');
        // Somebody before this attempt has begun the moment.
        if (works) this.#setAt ??= performance.now();
        return;
      }
      case 'set-password': {
        const { epoch } = this.#rotation;
        await this.#proveCurrent();
        const { password } = this.#credential();
        const change = { login: this.#login, password, epoch, onlyIdle: false };
        await setPassword(scopeOf(id, managed), change, optionsOf(operation));
        this.#setAt = performance.now();
        changes.push(passwordOf(this.#login));
        this.#trust('works');
        return;
      }
      case 'prove': {
        const credential = this.#credential();
        // The first one is nobody's yet.
        if (this.#rotation.seen.current === undefined) await this.#proveLogin(credential);
        else if (!(await logsIn(managed, credential, optionsOf(operation)))) throw doesNotLogIn(this.#login);
        this.#trust('proven');
        return;
      }
      case 'add-version':
        return this.#addVersion();
      case 'move-aliases':
        await moveAliases(this.#rotation, step.version);
        if (this.#setAt !== undefined) this.momentMs = performance.now() - this.#setAt;
        return;
      case 'disable-version':
        operation.assertHeld();
        await disableVersion(id, step.version);
        this.#rotation.seen = withoutVersion(this.#rotation.seen, step.version);
        changes.push(disabled(id, step.version));
        return;
      case 'discard-pending':
        await discardPending(id);
        this.#pending = undefined;
        return;
    }
  }

  /**
   * What the login may do doesn't change with its password. So it is proven before, while the current one works: afterwards
   * nothing must stand between the password and its publication.
   */
  async #proveCurrent(): Promise<void> {
    const { managed, operation, seen } = this.#rotation;
    const current = this.#usable.find(({ number }) => number === seen.current)?.credential;
    if (this.#isProven || current === undefined) return;
    const login = { user: current.username, password: current.password };
    if (!(await logsIn(managed, login, optionsOf(operation)))) return;
    await this.#proveLogin(login);
    this.#isProven = true;
  }

  #proveLogin(credential: Login): Promise<void> {
    const { id, managed, operation } = this.#rotation;
    const proof = { credential, twin: undefined, ...roleOf(managed), probe: managed.probe ?? undefined };
    return prove(scopeOf(id, managed), proof, optionsOf(operation));
  }

  /** If somebody else has changed the password since, a version of this attempt must go. */
  async withdraw(): Promise<void> {
    const sent = this.#sent;
    if (sent === undefined) return;
    this.#sent = undefined;
    const login = { user: this.#login, password: sent.password };
    await withdraw(this.#rotation, sent.value, (_, options) =>
      logsIn(this.#rotation.managed, login, options),
    );
  }

  async #addVersion(): Promise<void> {
    const { id, managed, operation, seen, cache, changes } = this.#rotation;
    const { password } = this.#credential();
    const like = this.#usable.find(({ number }) => number === seen.current)?.credential;
    const value = formatCredential(credentialFor(managed, { username: this.#login, password }, like));
    operation.assertHeld();
    this.#sent = { value, password };
    const version = await addVersion(id, value);
    cache.set(version.number, value);
    this.#rotation.seen = { ...seen, versions: [version, ...seen.versions] };
    changes.push(added(id, version.number));
  }

  #trust(trust: Trust): void {
    this.#pending = { password: this.#credential().password, trust };
  }

  #credential(): { user: string; password: string } {
    if (this.#pending === undefined) throw new Error('no password is pending');
    return { user: this.#login, password: this.#pending.password };
  }
}
