"""NLVR: is a sentence true of three pictures?"""
