/**
 * What a test can hold a call by: called before a request takes effect and after it did, but before the client
 * learns of it. Throwing an `ApiError` makes the client see that error; a promise delays the call.
 */
export type Interceptor = (call: InterceptedCall) => void | Promise<void>;

export interface InterceptedCall {
  /** As in the API's reference, such as `users.list`; other names for what goes on after a call has been answered. */
  readonly method: string;
  readonly phase: 'before' | 'after';
  /** Parameters and body in one; of what goes on later, the resource that stands for it. */
  readonly request: Readonly<Record<string, unknown>>;
  /** What the client is about to get, to be changed at will: after a request only. */
  readonly answer?: Record<string, unknown>;
}
