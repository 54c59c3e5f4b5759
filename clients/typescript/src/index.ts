export * from "./execute.js";
export * from "./generated.js";
export * from "./possibleTypes.js";
export * from "./signUp.js";
