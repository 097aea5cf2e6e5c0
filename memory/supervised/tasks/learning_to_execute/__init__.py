"""Learning to Execute: what does a program print?"""
