import { createRequire } from 'node:module';
import { TestEnvironment } from 'jest-environment-node';

const require = createRequire(import.meta.url);

/**
 * jest runs each test file in a VM context with typed arrays and modules of its own, while native addons belong to the
 * process. Sharing the array constructors keeps `instanceof` true on both sides. onnxruntime-node ends the process
 * when it is set up a second time, so all files share one: `test/support/onnxruntime.ts` takes it from here.
 */
export default class NativeAddonsEnvironment extends TestEnvironment {
  constructor(...args: ConstructorParameters<typeof TestEnvironment>) {
    super(...args);
    Object.assign(this.global, {
      Float32Array,
      Float64Array,
      Int8Array,
      Int16Array,
      Int32Array,
      Uint8Array,
      Uint16Array,
      Uint32Array,
      BigInt64Array,
      BigUint64Array,
      ArrayBuffer,
    });
    Object.defineProperty(this.global, 'sharedOnnxruntime', {
      get: (): unknown => require('onnxruntime-node'),
    });
  }
}
