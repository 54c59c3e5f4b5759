import { useEffect, useState } from "react";
import { useStrings } from "../strings";

/** Seconds that are left, and a function that starts to count them down. The clock decides, not the number of ticks. */
export function useCountdown(): [number, (seconds: number) => void] {
  const [end, setEnd] = useState(0);
  const [now, setNow] = useState(0);
  const left = Math.max(0, Math.ceil((end - now) / 1000));

  useEffect(() => {
    if (!end) return;
    const timer = setInterval(() => {
      setNow(Date.now());
      if (Date.now() >= end) clearInterval(timer);
    }, 250);
    return () => clearInterval(timer);
  }, [end]);

  function start(seconds: number) {
    setNow(Date.now());
    setEnd(Date.now() + seconds * 1000);
  }

  return [left, start];
}

/** The seconds as minutes and seconds; hidden from screen readers, which would read out every second. */
export function Countdown({ seconds }: { seconds: number }) {
  const t = useStrings();
  if (seconds === 0) return null;
  const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  return (
    <p className="countdown" aria-hidden="true">
      {t.againIn} <b dir="ltr">{clock}</b>
    </p>
  );
}
