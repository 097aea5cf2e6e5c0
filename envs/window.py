"""A window on the screen, for `render_mode="human"`."""

import numpy as np
from gymnasium.error import DependencyNotInstalled

try:
    import pygame
except ImportError as error:
    raise DependencyNotInstalled('render_mode="human" needs pygame: install pygame-ce') from error

SCALE = 2
"""Screen pixels per pixel of the frame."""


class Window:
    """Shows frames at a given rate, in frames per second."""

    def __init__(self, fps: int):
        pygame.display.init()
        self._fps = fps
        self._clock = pygame.time.Clock()
        self._screen: pygame.Surface | None = None

    def show(self, frame: np.ndarray) -> None:
        """Show an RGB frame `[rows, columns, 3]`."""
        columns_first = frame.swapaxes(0, 1)
        surface = pygame.transform.scale_by(pygame.surfarray.make_surface(columns_first), SCALE)
        screen = self._screen or pygame.display.set_mode(surface.get_size())
        screen.blit(surface, (0, 0))
        self._screen = screen
        pygame.event.pump()
        pygame.display.flip()
        self._clock.tick(self._fps)

    def close(self) -> None:
        """Close the window."""
        pygame.display.quit()
