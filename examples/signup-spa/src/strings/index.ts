import { createContext, use } from "react";
import { ar } from "./ar";
import { de } from "./de";
import { en, type Strings } from "./en";

/** Every language has one file; the compiler tells which strings it lacks. */
const languages: Record<string, { name: string; direction: "ltr" | "rtl"; strings: Strings }> = {
  en: { name: "English", direction: "ltr", strings: en },
  de: { name: "Deutsch", direction: "ltr", strings: de },
  ar: { name: "العربية", direction: "rtl", strings: ar },
};

const KEY = "language";

export const names = Object.entries(languages).map(([code, { name }]) => ({ code, name }));

/** The language that was chosen before, else the first one of the browser that we have. */
export function initialLanguage() {
  const wanted = [localStorage.getItem(KEY) ?? "", ...navigator.languages].map((tag) => tag.split("-")[0]!);
  return wanted.find((code) => code in languages) ?? "en";
}

/** Keeps the choice, and tells the browser the language and its direction. */
export function applyLanguage(code: string) {
  localStorage.setItem(KEY, code);
  document.documentElement.lang = code;
  document.documentElement.dir = languages[code]!.direction;
}

export const Language = createContext("en");

export type { Strings };

export function useStrings(): Strings {
  return languages[use(Language)]!.strings;
}

/** A moment or a day as the language writes it. */
export function useDate() {
  const language = use(Language);
  return (iso: string, style: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(language, style).format(new Date(iso));
}
