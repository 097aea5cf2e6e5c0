"""What one thread learns about the steps of another."""

from threading import Event, Thread

from agents.impala.life_signs import LifeSigns


def test_another_thread_sees_the_steps_the_silence_and_the_place() -> None:
    life, reached, go_on = LifeSigns(), Event(), Event()

    def hang_in_the_emulator() -> None:
        reached.set()
        while not go_on.wait(0.01):
            pass

    def act() -> None:
        life.begin()
        for _ in range(3):
            life.step()
        hang_in_the_emulator()

    thread = Thread(target=act)
    thread.start()
    assert reached.wait(10)
    first, second = life.look(), life.look()
    assert first.steps == 3 and 0 <= first.silence < second.silence
    go_on.set()
    thread.join()
    assert "ended" in life.look().place
    life.end()
    assert life.look() == (0.0, 3, "") and str(life.look()) == "it has finished its unroll"
    life.begin()
    sign = life.look()
    assert sign.steps == 0 and sign.place.startswith("_place (life_signs.py:")
