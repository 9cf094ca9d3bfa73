// Tone, vibration: words are the screen's. A scan is answered by ear, hand and eye.

let sound;
const TONES = { good: [[880, 0.08]], asks: [[440, 0.12], [440, 0.12]], wrong: [[220, 0.35]] };
const SHAKES = { good: [40], asks: [60, 60, 60], wrong: [250] };

export function tell(mood) {
  // Before the first touch a browser refuses to shake, and complains.
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(SHAKES[mood]);
  if (localStorage.getItem("muted") === "1") return;
  try {
    sound ??= new AudioContext();
    let at = sound.currentTime;
    for (const [hertz, seconds] of TONES[mood]) {
      const tone = sound.createOscillator();
      const volume = sound.createGain();
      tone.frequency.value = hertz;
      volume.gain.value = 0.15;
      tone.connect(volume).connect(sound.destination);
      tone.start(at);
      tone.stop(at + seconds);
      at += seconds + 0.05;
    }
  } catch {
    // A phone without sound still shakes and shows the words.
  }
}
